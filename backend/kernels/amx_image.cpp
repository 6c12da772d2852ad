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

constexpr std::int64_t kLines = 4;  // of a step

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

Splitter::Splitter(const ConvShape& shape, const Image& image, const Chunk& chunk, const Range& blocks,
                   const float* source, const SplitInput& to)
    : shape_(&shape), image_(&image), piece_(chunk.data()), source_(source), blocks_(blocks), to_(to) {
  for (const Piece& piece : chunk) {
    const std::int64_t end = piece.pixels.last + image.reach();
    for (std::int64_t line = piece.pixels.first; line < end;) {
      const std::int64_t row_end = std::min(end, (line / image.pitch + 1) * image.pitch);
      count_ += image.phases() * blocks.size() * ceil_div(row_end - line, kLines);
      line = row_end;
    }
  }
  stride_ = shape.op.strides[1] * shape.source.pixel;
  line_ = piece_->pixels.first;
  start_row();
}

void Splitter::start_row() {
  const ConvShape& s = *shape_;
  const std::int64_t row = line_ / image_->pitch;
  const std::int64_t row_line = row * image_->pitch;
  const auto phases_x = static_cast<std::int64_t>(image_->x.phases.size());
  const std::int64_t phase_x = image_->x.phases[phase_ % phases_x];
  const std::int64_t y = row * s.op.strides[0] + image_->y.phases[phase_ / phases_x] - s.op.pads[0];
  const bool inside = y >= 0 && y < s.input[0];
  const Range columns = covered(s, phase_x, image_->pitch);
  end_ = std::min(end_of_phase(), row_line + image_->pitch);
  filled_ = inside ? Range{row_line + columns.first, row_line + columns.last} : Range{end_, end_};
  first_ = source_ + piece_->image * s.source.image + y * s.source.row + (phase_x - s.op.pads[1]) * s.source.pixel -
           row_line * stride_;
  start_lines();
}

void Splitter::start_lines() {
  lines_ = std::min(kLines, end_ - line_);
  are_filled_ = filled_.first <= line_ && line_ + lines_ <= filled_.last;
  from_ = first_ + line_ * stride_ + blocks_.first * kBlockInputs;
  at_ = to_.lines + piece_->line + phase_ * image_->phase_lines + line_ - piece_->pixels.first;
  block_ = blocks_.first;
}

void Splitter::step() {
  if (are_filled_) {
    split(from_, stride_, lines_, std::min(kBlockInputs, shape_->in_channels - block_ * kBlockInputs), to_.parts, at_,
          to_.part_lines);
  } else {
    split_partly();
  }
  ++done_;
  from_ += kBlockInputs;
  at_ += to_.parts * to_.part_lines;
  if (++block_ == blocks_.last && !is_done()) next_lines();
}

void Splitter::split_partly() {
  const auto clamped = [&](std::int64_t line) { return std::clamp<std::int64_t>(line - line_, 0, lines_); };
  const Range inside{clamped(filled_.first), clamped(filled_.last)};
  for (int part = 0; part < to_.parts; ++part) {
    Line* lines = at_ + part * to_.part_lines;
    std::fill(lines, lines + inside.first, Line{});
    std::fill(lines + std::max(inside.first, inside.last), lines + lines_, Line{});
  }
  if (inside.size() <= 0) return;
  split(from_ + inside.first * stride_, stride_, inside.size(),
        std::min(kBlockInputs, shape_->in_channels - block_ * kBlockInputs), to_.parts, at_ + inside.first,
        to_.part_lines);
}

void Splitter::next_lines() {
  line_ += lines_;
  if (line_ < end_) return start_lines();
  if (line_ == end_of_phase()) {
    if (++phase_ == image_->phases()) {
      phase_ = 0;
      ++piece_;
    }
    line_ = piece_->pixels.first;
  }
  start_row();
}

}  // namespace deeper::backend::amx
