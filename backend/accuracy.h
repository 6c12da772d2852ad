#pragma once

#include <cstdint>

namespace deeper::backend {

// How far an algorithm may stray: safe stays within about 4 times the error of direct convolution in fp32.
enum class Accuracy : std::uint8_t { safe, fast };

}  // namespace deeper::backend
