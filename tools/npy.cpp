#include "tools/npy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <fstream>
#include <regex>

#include "ir/error.h"
#include "ir/half.h"
#include "tools/files.h"

namespace deeper::tools {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

struct Header {
  char byte_order = '<';
  char kind = 'f';
  std::size_t item_bytes = 4;
  bool fortran_order = false;
  ir::Shape shape;
};

[[noreturn]] void refuse(const std::filesystem::path& path, std::string_view why) {
  throw ModelError(fmt::format("{}: not a usable .npy file: {}", path.string(), why));
}

Header parse_header(const std::filesystem::path& path, const std::string& text) {
  static const std::regex descr(R"('descr'\s*:\s*'([<>|=])([bifu])(\d+)')");
  static const std::regex order(R"('fortran_order'\s*:\s*(True|False))");
  static const std::regex shape(R"('shape'\s*:\s*\(([0-9, L]*)\))");
  std::smatch match;
  Header header;
  if (!std::regex_search(text, match, descr)) refuse(path, "its elements are not plain numbers");
  header.byte_order = *match[1].first;
  header.kind = *match[2].first;
  header.item_bytes = static_cast<std::size_t>(std::stoul(match[3].str().substr(0, 3)));
  if (!std::regex_search(text, match, order)) refuse(path, "no fortran_order");
  header.fortran_order = match[1].str() == "True";
  if (!std::regex_search(text, match, shape)) refuse(path, "no shape");
  const std::string extents = match[1].str();
  for (const char* at = extents.data(); at < extents.data() + extents.size();) {
    std::int64_t extent = 0;
    const auto [end, error] = std::from_chars(at, extents.data() + extents.size(), extent);
    if (error == std::errc::result_out_of_range) refuse(path, "an extent is too large");
    if (error == std::errc{}) header.shape.push_back(extent);
    at = error == std::errc{} ? end : at + 1;
  }
  return header;
}

template <typename T>
T load(const char* bytes, bool swap) {
  std::array<char, sizeof(T)> raw{};
  std::memcpy(raw.data(), bytes, sizeof(T));
  if (swap) std::ranges::reverse(raw);
  return std::bit_cast<T>(raw);
}

// Reads one element type; nothing for one that is not supported.
using Loader = double (*)(const char*, bool);
template <typename T>
double load_as(const char* bytes, bool swap) {
  return static_cast<double>(load<T>(bytes, swap));
}

Loader find_loader(char kind, std::size_t item_bytes) {
  struct Row {
    char kind;
    std::size_t bytes;
    Loader load;
  };
  static constexpr std::array<Row, 12> kRows = {{
      {'f', 4, load_as<float>},
      {'f', 8, load_as<double>},
      {'f', 2, [](const char* b, bool s) { return static_cast<double>(ir::half_to_float(load<std::uint16_t>(b, s))); }},
      {'i', 1, load_as<std::int8_t>},
      {'i', 2, load_as<std::int16_t>},
      {'i', 4, load_as<std::int32_t>},
      {'i', 8, load_as<std::int64_t>},
      {'u', 1, load_as<std::uint8_t>},
      {'u', 2, load_as<std::uint16_t>},
      {'u', 4, load_as<std::uint32_t>},
      {'u', 8, load_as<std::uint64_t>},
      {'b', 1, [](const char* b, bool) { return *b != 0 ? 1.0 : 0.0; }},
  }};
  for (const Row& row : kRows) {
    if (row.kind == kind && row.bytes == item_bytes) return row.load;
  }
  return nullptr;
}

// Turns column-major data into row-major.
std::vector<double> from_fortran(const std::vector<double>& data, const ir::Shape& shape) {
  std::vector<double> result(data.size());
  ir::Shape index(shape.size(), 0);
  const ir::Shape strides = ir::row_major_strides(shape);
  for (const double element : data) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < shape.size(); ++i) offset += index[i] * strides[i];
    result[static_cast<std::size_t>(offset)] = element;
    for (std::size_t i = 0; i < shape.size() && ++index[i] == shape[i]; ++i) index[i] = 0;
  }
  return result;
}

}  // namespace

NpyArray read_npy(const std::filesystem::path& path) {
  const std::string file = read_file(path);
  if (!file.starts_with(kMagic) || file.size() < 12) refuse(path, "it does not start as one");
  const bool long_header = file[6] != 1;
  const std::size_t header_start = long_header ? 12 : 10;
  const std::size_t header_bytes =
      long_header ? load<std::uint32_t>(file.data() + 8, false) : load<std::uint16_t>(file.data() + 8, false);
  if (header_bytes > file.size() - header_start) refuse(path, "its header is cut off");
  const Header header = parse_header(path, file.substr(header_start, std::min<std::size_t>(header_bytes, 4096)));
  const Loader loader = find_loader(header.kind, header.item_bytes);
  if (loader == nullptr) refuse(path, fmt::format("elements of type {}{}", header.kind, header.item_bytes));

  NpyArray array{header.shape, {}};
  const auto count = static_cast<std::size_t>(ir::element_count(header.shape));
  const std::size_t available = file.size() - header_start - header_bytes;
  if (count > available / header.item_bytes) {
    refuse(path, fmt::format("the shape [{}] needs more than the {} bytes it holds", fmt::join(header.shape, ","),
                             available));
  }
  array.data.resize(count);
  const char* data = file.data() + header_start + header_bytes;
  const bool swap = header.byte_order == '>';
  for (std::size_t i = 0; i < count; ++i) array.data[i] = loader(data + i * header.item_bytes, swap);
  if (header.fortran_order) array.data = from_fortran(array.data, array.shape);
  return array;
}

void write_npy(const std::filesystem::path& path, const ir::Shape& shape, std::span<const float> data) {
  std::string header = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}{}), }}",
                                   fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  const std::size_t unpadded = kMagic.size() + 4 + header.size() + 1;
  header.append((64 - unpadded % 64) % 64, ' ').push_back('\n');
  std::string bytes(kMagic);
  bytes.append({'\x01', '\x00', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)});
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(data.data()), data.size_bytes());
  write_file(path, bytes);
}

}  // namespace deeper::tools
