#include "frontend/tensor_file.h"

#include <fmt/format.h>

#include "frontend/decode_tensor.h"
#include "frontend/model_file.h"
#include "ir/error.h"

namespace deeper::frontend {

TensorFile read_tensor_file(const std::filesystem::path& path) {
  try {
    const std::string bytes = read_file_bytes(path);
    onnx::TensorProto tensor;
    if (bytes.empty() || !tensor.ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      throw ModelError("is not an ONNX tensor, or is truncated");
    }
    return {tensor.name(), decode_tensor(tensor, ExternalData(path.parent_path()))};
  } catch (const ModelError& error) {
    throw ModelError(fmt::format("{}: {}", path.string(), error.what()));
  }
}

}  // namespace deeper::frontend
