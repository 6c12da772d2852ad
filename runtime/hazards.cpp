#include "runtime/hazards.h"

#include <algorithm>
#include <numeric>

namespace deeper::runtime {
namespace {

constexpr std::size_t kImageRank = 4;
constexpr std::size_t kChannels = 1;  // axis

std::uint64_t memory_of(const Operand& operand) {
  return (static_cast<std::uint64_t>(operand.space) << 32U) + operand.port;
}

bool is_written(Space space) { return space == Space::arena || space == Space::output; }

}  // namespace

Region region_of(const Operand& operand, std::uint64_t memory, std::uint64_t offset) {
  Region region{.memory = memory,
                .begin = offset,
                .end = offset + operand.bytes,
                .period = std::max<std::uint64_t>(operand.bytes, 1),
                .width = operand.bytes};
  const bool is_image = operand.shape.size() == kImageRank && operand.strides.size() == kImageRank;
  if (!is_image || operand.strides[kChannels] != 1) return region;
  std::int64_t step = 0;  // of which all steps between pixels are multiples
  for (std::size_t axis = 0; axis < kImageRank; ++axis) {
    if (axis != kChannels && operand.shape[axis] > 1) step = std::gcd(step, operand.strides[axis]);
  }
  if (step < operand.shape[kChannels]) return region;  // there is one pixel, or no order in them
  region.period = static_cast<std::uint64_t>(step) * sizeof(float);
  region.width = static_cast<std::uint64_t>(operand.shape[kChannels]) * sizeof(float);
  return region;
}

bool may_overlap(const Region& a, const Region& b) {
  if (a.memory != b.memory || a.begin >= b.end || b.begin >= a.end) return false;
  if (a.period != b.period) return true;
  // Where b's bytes lie in a's period.
  const std::uint64_t first =
      (b.begin >= a.begin ? b.begin - a.begin : a.period - (a.begin - b.begin) % a.period) % a.period;
  return first < a.width || first + b.width > a.period;
}

Accesses accesses_of(const Step& step, std::int64_t image) {
  Accesses accesses{.reads = {},
                    .write = region_of(step.result, memory_of(step.result), offset_of(step.result, image))};
  for (const Operand& operand : step.operands) {
    if (is_written(operand.space)) {
      accesses.reads.push_back(region_of(operand, memory_of(operand), offset_of(operand, image)));
    }
  }
  return accesses;
}

bool depend(const Accesses& a, const Accesses& b) {
  const auto reads = [](const Accesses& reader, const Region& written) {
    return std::ranges::any_of(reader.reads, [&](const Region& region) { return may_overlap(region, written); });
  };
  return may_overlap(a.write, b.write) || reads(a, b.write) || reads(b, a.write);
}

}  // namespace deeper::runtime
