#include "backend/kernels/amx_image.h"

#include <algorithm>

#include "backend/kernels/rounding.h"

namespace deeper::backend::amx {
namespace {

Axis axis_of(const ConvShape& shape, int axis) {
  Axis result;
  for (std::int64_t tap = 0; tap < shape.kernel[axis]; ++tap) {
    const std::int64_t position = tap * shape.op.dilations[axis];
    const std::int64_t phase = position % shape.op.strides[axis];
    const auto found = std::find(result.phases.begin(), result.phases.end(), phase);
    result.phase.push_back(found - result.phases.begin());
    if (found == result.phases.end()) result.phases.push_back(phase);
    result.shift.push_back(position / shape.op.strides[axis]);
  }
  result.most_shift = *std::max_element(result.shift.begin(), result.shift.end());
  return result;
}

// Columns of a phase that hold pixels of the input: [first, last).
Range covered(const ConvShape& shape, std::int64_t phase, std::int64_t columns) {
  const std::int64_t stride = shape.op.strides[1];
  const auto column_from = [&](std::int64_t position) {
    return std::clamp<std::int64_t>((position - phase + stride - 1) / stride, 0, columns);
  };
  const std::int64_t left = shape.op.pads[1];
  return {left > phase ? column_from(left) : 0, left + shape.input[1] > phase ? column_from(left + shape.input[1]) : 0};
}

// Zeros at both ends of a row of every phase.
std::int64_t shared_zeros(const ConvShape& shape, const Axis& x) {
  const std::int64_t columns = shape.output[1] + x.most_shift;
  std::int64_t shared = x.most_shift;
  for (const std::int64_t phase : x.phases) {
    const Range pixels = covered(shape, phase, columns);
    shared = std::min({shared, pixels.first, columns - pixels.last});
  }
  return shared;
}

std::int64_t channels_of(const ConvShape& shape, const Range& blocks) {
  return std::min(blocks.last * kBlockInputs, shape.in_channels) - blocks.first * kBlockInputs;
}

// What lies in a row of lines of a piece.
struct Row {
  std::int64_t line = 0;  // of the chunk
  std::int64_t count = 0;
  Range inside{};   // those that hold pixels; zeros are padding
  Pixels pixels{};  // that they hold
};

// Calls use(row) for each row of each phase that a piece reads.
void for_rows_of(const ConvShape& s, const Image& image, const Piece& piece, const Range& blocks, const float* source,
                 const auto& use) {
  const auto phases_x = static_cast<std::int64_t>(image.x.phases.size());
  const std::int64_t stride = s.op.strides[1] * s.source.pixel;
  const std::int64_t end = piece.pixels.last + image.reach();
  for (std::int64_t phase = 0; phase < image.phases(); ++phase) {
    const std::int64_t phase_x = image.x.phases[phase % phases_x];
    const Range columns = covered(s, phase_x, image.pitch);
    for (std::int64_t line = piece.pixels.first; line < end;) {
      const std::int64_t of_image = line / image.pitch;
      const std::int64_t first = of_image * image.pitch;
      const std::int64_t y = of_image * s.op.strides[0] + image.y.phases[phase / phases_x] - s.op.pads[0];
      Row row{.line = piece.line + phase * image.phase_lines + line - piece.pixels.first,
              .count = std::min(end, first + image.pitch) - line};
      if (y >= 0 && y < s.input[0]) {
        row.inside.first = std::clamp<std::int64_t>(first + columns.first - line, 0, row.count);
        row.inside.last = std::clamp<std::int64_t>(first + columns.last - line, row.inside.first, row.count);
      }
      const std::int64_t x = (line + row.inside.first - first) * s.op.strides[1] + phase_x - s.op.pads[1];
      row.pixels = {.from = source + piece.image * s.source.image + y * s.source.row + x * s.source.pixel +
                            blocks.first * kBlockInputs,
                    .stride = stride,
                    .count = row.inside.size(),
                    .channels = channels_of(s, blocks)};
      use(row);
      line += row.count;
    }
  }
}

// Zeros to lines [first, last) of all blocks.
void fill(std::int64_t first, std::int64_t last, std::int64_t blocks, const SplitInput& to) {
  if (first == last) return;
  for (std::int64_t block = 0; block < blocks; ++block) {
    std::fill_n(to.at(first) + block * to.block_stride, last - first, Digits{});
  }
}

// Of windows: one scale for all of the piece.
void split_piece(const ConvShape& shape, const Image& image, const Piece& piece, const Range& blocks,
                 const float* source, const SplitInput& to) {
  Found found;
  for_rows_of(shape, image, piece, blocks, source, [&](const Row& row) { found = find(row.pixels, found); });
  const Scale scale(found);
  std::fill_n(to.units + piece.line, piece.pixels.size(), scale.unit);
  std::fill_n(to.are_signed + piece.line, piece.pixels.size(), scale.is_signed);
  for_rows_of(shape, image, piece, blocks, source, [&](const Row& row) {
    const std::int64_t first = row.line + row.inside.first;
    const std::int64_t last = row.line + row.inside.last;
    fill(row.line, first, blocks.size(), to);
    fill(last, row.line + row.count, blocks.size(), to);
    split(row.pixels, scale, to.at(first), to.block_stride);
  });
}

// Where every output reads one pixel: one scale for each.
void split_tiles(const ConvShape& s, const Image& image, const Piece& piece, const Range& blocks, const float* source,
                 const SplitInput& to) {
  const float* first = source + piece.image * s.source.image + blocks.first * kBlockInputs;
  ScaledPixels pixels{.channels = channels_of(s, blocks)};
  for (std::int64_t pixel = piece.pixels.first; pixel < piece.pixels.last; pixel += kTileRows) {
    pixels.count = std::min(kTileRows, piece.pixels.last - pixel);
    std::int64_t row = pixel / image.pitch;
    std::int64_t column = pixel % image.pitch;
    for (std::int64_t i = 0; i < pixels.count; ++i) {
      const std::int64_t y = row * s.op.strides[0] - s.op.pads[0];
      const std::int64_t x = column * s.op.strides[1] - s.op.pads[1];
      const bool is_inside = y >= 0 && y < s.input[0] && x >= 0 && x < s.input[1];
      pixels.from[i] = is_inside ? first + y * s.source.row + x * s.source.pixel : nullptr;
      if (++column == image.pitch) {
        column = 0;
        ++row;
      }
    }
    const std::int64_t line = piece.line + pixel - piece.pixels.first;
    to.are_signed[line] = split(pixels, to.at(line), to.block_stride, to.units + line);
  }
}

// The runs of sixteen pixels from `first` on.
void add_runs(const ConvShape& shape, const Image& image, const Piece& piece, std::int64_t first,
              std::vector<Run>& runs) {
  const std::int64_t last = std::min(first + kTileRows, piece.pixels.last);
  for (std::int64_t pixel = first; pixel < last;) {
    const std::int64_t y = pixel / image.pitch;
    const std::int64_t x = pixel % image.pitch;
    const std::int64_t end = std::min(last, y * image.pitch + shape.output[1]);
    const auto offset = [&](const ImageStrides& strides) {
      return piece.image * strides.image + y * strides.row + x * strides.pixel;
    };
    if (pixel < end) {
      runs.push_back({.first = pixel - first,
                      .count = end - pixel,
                      .result = offset(shape.result),
                      .residual = offset(shape.residual)});
    }
    pixel = (y + 1) * image.pitch;
  }
}

void add_tiles(const ConvShape& shape, const Image& image, Chunk& chunk) {
  std::vector<std::size_t> first_runs;
  for (const Piece& piece : chunk.pieces) {
    for (std::int64_t pixel = piece.pixels.first; pixel < piece.pixels.last; pixel += kTileRows) {
      first_runs.push_back(chunk.runs.size());
      add_runs(shape, image, piece, pixel, chunk.runs);
      chunk.tiles.push_back({.line = piece.line + pixel - piece.pixels.first, .runs = {}});
    }
  }
  first_runs.push_back(chunk.runs.size());
  for (std::size_t i = 0; i < chunk.tiles.size(); ++i) {
    chunk.tiles[i].runs = std::span(chunk.runs).subspan(first_runs[i], first_runs[i + 1] - first_runs[i]);
  }
}

}  // namespace

Image::Image(const ConvShape& shape, std::int64_t most_pixels) : y(axis_of(shape, 0)), x(axis_of(shape, 1)) {
  pitch = shape.output[1] + x.most_shift - shared_zeros(shape, x);
  pixels = (shape.output[0] - 1) * pitch + shape.output[1];
  const std::int64_t most = std::min(most_pixels, pixels);
  phase_lines = round_up(most, kTileRows) + reach();
}

std::vector<std::int64_t> Image::taps() const {
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i < y.phase.size(); ++i) {
    for (std::size_t j = 0; j < x.phase.size(); ++j) {
      const std::int64_t phase = y.phase[i] * static_cast<std::int64_t>(x.phases.size()) + x.phase[j];
      result.push_back(phase * phase_lines + y.shift[i] * pitch + x.shift[j]);
    }
  }
  return result;
}

std::int64_t pieces_of_chunk(const Image& image, std::int64_t most_pixels) {
  return std::max<std::int64_t>(1, most_pixels / image.pixels);
}

std::vector<Chunk> make_chunks(const ConvShape& shape, const Image& image, std::int64_t most_pixels, Range pixels) {
  const auto most_pieces = static_cast<std::size_t>(pieces_of_chunk(image, most_pixels));
  std::vector<Chunk> chunks;
  for (std::int64_t first = pixels.first; first < pixels.last;) {
    const std::int64_t in_image = first % image.pixels;
    const std::int64_t left = std::min(image.pixels - in_image, pixels.last - first);
    // Equal chunks of whole products.
    const std::int64_t count = ceil_div(left, most_pixels);
    const std::int64_t size = std::min(left, round_up(ceil_div(left, count), kTileRows));
    if (chunks.empty() || chunks.back().pieces.size() == most_pieces) chunks.emplace_back();
    std::vector<Piece>& pieces = chunks.back().pieces;
    pieces.push_back({.image = first / image.pixels,
                      .pixels = {in_image, in_image + size},
                      .line = static_cast<std::int64_t>(pieces.size()) * image.piece_lines()});
    first += size;
  }
  for (Chunk& chunk : chunks) add_tiles(shape, image, chunk);
  return chunks;
}

ConvShape flattened(ConvShape shape) {
  const std::int64_t pixels = shape.output[0] * shape.output[1];
  const auto is_row = [&](const ImageStrides& strides) {
    const bool images_follow = shape.batch == 1 || strides.image == pixels * strides.pixel;
    return strides.row == shape.output[1] * strides.pixel && images_follow;
  };
  const bool reads_one =
      shape.kernel == ir::Extent2{1, 1} && shape.input == shape.output && shape.op.pads == ir::Pads{0, 0, 0, 0};
  if (!reads_one || !is_row(shape.source) || !is_row(shape.result) || (shape.has_residual && !is_row(shape.residual))) {
    return shape;
  }
  shape.op.strides = {1, 1};
  shape.input = {1, shape.batch * pixels};
  shape.output = shape.input;
  shape.batch = 1;
  return shape;
}

void split_chunk(const ConvShape& shape, const Image& image, const Chunk& chunk, const Range& blocks,
                 const float* source, const SplitInput& to) {
  const auto split = image.is_pointwise() ? split_tiles : split_piece;
  for (const Piece& piece : chunk.pieces) split(shape, image, piece, blocks, source, to);
}

}  // namespace deeper::backend::amx
