#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/kernels/amx_tiles.h"
#include "backend/kernels/conv_shape.h"

// How the kernel of AMX sees an image: as pixels side by side, the digits of a block of inputs of each, from which
// every tap of the window is a fixed number of pixels away, whatever the stride, the dilation and the padding.
namespace deeper::backend::amx {

// One axis of the window. Every stride-th position of the padded image is a phase; tap t reads, in the phase that it
// falls into, `shift` positions further than the output lies.
struct Axis {
  std::vector<std::int64_t> phases;  // positions modulo stride that taps fall into
  std::vector<std::int64_t> phase;   // of each tap: its index in `phases`
  std::vector<std::int64_t> shift;   // of each tap
  std::int64_t most_shift = 0;
};

// Pixels [pixels.first, pixels.last) of an image, and where what they read lies in a chunk.
struct Piece {
  std::int64_t image = 0;
  Range pixels;
  std::int64_t line = 0;
};

struct Image {
  // For pieces of at most `most_pixels` pixels.
  Image(const ConvShape& shape, std::int64_t most_pixels);

  // Lines that a piece takes of a block of inputs.
  std::int64_t piece_lines() const { return phases() * phase_lines; }
  std::int64_t phases() const { return static_cast<std::int64_t>(y.phases.size() * x.phases.size()); }
  // Lines from a pixel's own, of the first phase, to the one that each tap reads.
  std::vector<std::int64_t> taps() const;
  // What the last tap reads further than the pixel's own line.
  std::int64_t reach() const { return y.most_shift * pitch + x.most_shift; }
  // Whether every output reads a pixel of its own.
  bool is_pointwise() const { return y.phase.size() * x.phase.size() == 1; }

  Axis y;
  Axis x;
  // Lines from a row to the next. Of its zeros on the right and those on the left of the next row, as many are the same
  // lines as there are of both.
  std::int64_t pitch = 0;
  std::int64_t pixels = 0;       // from the first to the last output; those beyond the output's width lie between rows
  std::int64_t phase_lines = 0;  // that a piece reads
};

// Sixteen pixels of a piece.
struct PixelTile {
  std::int64_t line = 0;  // of the first one
  std::span<const Run> runs;
};

// What is split at a time.
struct Chunk {
  std::vector<Piece> pieces;
  std::vector<PixelTile> tiles;
  std::vector<Run> runs;
};

// Pieces of a chunk of at most `most_pixels` pixels.
std::int64_t pieces_of_chunk(const Image& image, std::int64_t most_pixels);

// The chunks of at most `most_pixels` of the pixels [first, last) of all images.
std::vector<Chunk> make_chunks(const ConvShape& shape, const Image& image, std::int64_t most_pixels, Range pixels);

// Where every output reads one pixel, and rows begin right behind one another, all pixels are one row of one image.
ConvShape flattened(ConvShape shape);

// Where the split input of a chunk goes. Of the outputs at line i, units[i] is that of their sums; those of a tile have
// signs where are_signed[i] is set for its first line.
struct SplitInput {
  Digits* digits = nullptr;
  std::int64_t block_stride = 0;
  std::int64_t tile_stride = 0;
  float* units = nullptr;
  bool* are_signed = nullptr;

  // Of a line of the first block.
  Digits* at(std::int64_t line) const { return digits + line / kTileRows * tile_stride + line % kTileRows; }
};

// Splits what the pieces of a chunk read of some blocks of inputs, zeros for padding included. What a sum reads is
// scaled by its largest magnitude: by that of the pixel where each output reads one, else by that of all that a piece
// reads.
void split_chunk(const ConvShape& shape, const Image& image, const Chunk& chunk, const Range& blocks,
                 const float* source, const SplitInput& to);

}  // namespace deeper::backend::amx
