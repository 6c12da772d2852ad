#pragma once

#include <array>
#include <string_view>

#include "ir/ops.h"

namespace deeper::ir {

// Names of the enumerators of Enum, in the order of declaration.
template <typename Enum>
inline constexpr int kEnumNames = 0;

#define DEEPER_ENUM(Enum, ...) \
  template <>                  \
  inline constexpr auto kEnumNames<Enum> = std::to_array<std::string_view>({__VA_ARGS__});
#include "ir/enums.def"
#undef DEEPER_ENUM

template <typename Enum>
constexpr std::string_view enum_name(Enum value) {
  return kEnumNames<Enum>.at(static_cast<std::size_t>(value));
}

}  // namespace deeper::ir
