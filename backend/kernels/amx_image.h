#pragma once

#include <cstdint>
#include <vector>

#include "backend/kernels/amx_tiles.h"
#include "backend/kernels/conv_shape.h"

// How the kernel of AMX sees an image: as pixels side by side, one line for each part of a block of inputs, from which
// every tap of the window is a fixed number of lines away, whatever the stride, the dilation and the padding.
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

  // Lines that a piece takes of a part of a block of inputs.
  std::int64_t piece_lines() const { return phases() * phase_lines; }
  std::int64_t phases() const { return static_cast<std::int64_t>(y.phases.size() * x.phases.size()); }
  // Lines from a pixel's own, of the first phase, to the one that each tap reads.
  std::vector<std::int64_t> taps() const;
  // What the last tap reads further than the pixel's own line.
  std::int64_t reach() const { return y.most_shift * pitch + x.most_shift; }

  Axis y;
  Axis x;
  // Lines from a row to the next. Of its zeros on the right and those on the left of the next row, as many are the same
  // lines as there are of both.
  std::int64_t pitch = 0;
  std::int64_t pixels = 0;       // from the first to the last output; those beyond the output's width lie between rows
  std::int64_t phase_lines = 0;  // that a piece reads
};

using Chunk = std::vector<Piece>;

// Where the split input of a chunk goes: part p of its block b at lines + (b * parts + p) * part_lines.
struct SplitInput {
  Line* lines = nullptr;
  std::int64_t part_lines = 0;
  int parts = 3;
};

// Splits what the pieces of a chunk read of some blocks of inputs, zeros for padding included, in steps of a few lines
// of a block: steps are short enough to be done between the instructions that tiles wait for.
class Splitter {
 public:
  Splitter() = default;
  Splitter(const ConvShape& shape, const Image& image, const Chunk& chunk, const Range& blocks, const float* source,
           const SplitInput& to);

  bool is_done() const { return done_ == count_; }
  std::int64_t count() const { return count_; }  // of steps
  void step();

 private:
  // Goes to what the piece reads of the phase's row that `line_` is in.
  void start_row();
  // Goes to the lines from `line_` on.
  void start_lines();
  void next_lines();
  void split_partly();
  std::int64_t end_of_phase() const { return piece_->pixels.last + image_->reach(); }

  const ConvShape* shape_ = nullptr;
  const Image* image_ = nullptr;
  const Piece* piece_ = nullptr;
  const float* source_ = nullptr;
  Range blocks_;
  SplitInput to_;
  std::int64_t stride_ = 0;  // floats from a line's pixel to the next one's
  std::int64_t count_ = 0;
  std::int64_t done_ = 0;
  // Where it is; lines count from the image's first one.
  std::int64_t phase_ = 0;
  std::int64_t line_ = 0;
  std::int64_t block_ = 0;
  // Of the row.
  Range filled_;                  // lines of pixels in the image
  std::int64_t end_ = 0;          // of its lines
  const float* first_ = nullptr;  // what line 0 would read
  // Of the lines.
  std::int64_t lines_ = 0;
  bool are_filled_ = false;
  const float* from_ = nullptr;
  Line* at_ = nullptr;
};

}  // namespace deeper::backend::amx
