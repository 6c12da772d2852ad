#include "tests/models/npy.h"

#include <cstring>
#include <fstream>
#include <regex>
#include <stdexcept>

#include "ir/half.h"

namespace deeper::models {
namespace {

template <typename Stored>
std::vector<double> widen(const std::string& bytes, std::size_t count) {
  if (bytes.size() < count * sizeof(Stored)) throw std::runtime_error("a .npy file is too short");
  std::vector<double> result(count);
  for (std::size_t i = 0; i < count; ++i) {
    Stored stored;
    std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    result[i] = static_cast<double>(stored);
  }
  return result;
}

std::string match(const std::string& header, const std::string& pattern) {
  std::smatch found;
  if (!std::regex_search(header, found, std::regex(pattern))) throw std::runtime_error("not a .npy header: " + header);
  return found[1];
}

}  // namespace

ir::Array read_npy(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  if (bytes.size() < 12 || bytes.substr(1, 5) != "NUMPY") throw std::runtime_error("not a .npy file: " + path.string());
  const bool is_long = bytes[6] != 1;
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data() + 8, is_long ? 4 : 2);
  const std::size_t begin = is_long ? 12 : 10;
  const std::string header = bytes.substr(begin, length);
  if (match(header, "'fortran_order': *(True|False)") == "True") throw std::runtime_error("not in C order");
  ir::Array array;
  const std::string extents = match(header, "'shape': *\\(([^)]*)\\)");
  for (std::size_t at = 0; at < extents.size();) {
    std::size_t used = 0;
    if (extents.find_first_of("0123456789", at) == std::string::npos) break;
    at = extents.find_first_of("0123456789", at);
    array.shape.push_back(std::stoll(extents.substr(at), &used));
    at += used;
  }
  const std::string type = match(header, "'descr': *'([^']*)'");
  const std::string data = bytes.substr(begin + length);
  const auto count = static_cast<std::size_t>(ir::element_count(array.shape));
  if (type == "<f4") array.data = widen<float>(data, count);
  if (type == "<f8") array.data = widen<double>(data, count);
  if (type == "|u1") array.data = widen<std::uint8_t>(data, count);
  if (type == "<f2") {
    array.data = widen<std::uint16_t>(data, count);
    for (double& x : array.data) x = static_cast<double>(ir::half_to_float(static_cast<std::uint16_t>(x)));
  }
  if (array.data.size() != count) throw std::runtime_error("element type " + type + " is not read here");
  return array;
}

}  // namespace deeper::models
