// Intrinsics throughout: Highway has no tiles.
#include "backend/kernels/amx_tiles.h"

#ifndef __clang__
// gcc 12 takes what its own AVX-512 intrinsics leave undefined for uninitialised.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <limits>

namespace deeper::backend::amx {
namespace {

#define DEEPER_VECTORS __attribute__((target("avx512f")))
#define DEEPER_TILES __attribute__((target("amx-tile,amx-int8")))
#define DEEPER_INLINE_TILES DEEPER_TILES __attribute__((always_inline)) inline

constexpr std::int64_t kLanes = 16;
constexpr std::int64_t kVectors = kBlockInputs / kLanes;  // of a line's numbers
constexpr std::int64_t kLineBytes = sizeof(Line);
constexpr std::int64_t kDigitsBytes = sizeof(Digits);

// Tile loads and stores are opaque to the compiler: what they read has to be written before them.
inline void order_memory() { asm volatile("" ::: "memory"); }

// The layout that LDTILECFG reads: palette 1, eight tiles of 16 rows of 64 bytes.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::array<std::uint8_t, 14> reserved{};
  std::array<std::uint16_t, 16> row_bytes{64, 64, 64, 64, 64, 64, 64, 64};
  std::array<std::uint8_t, 16> rows{16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

DEEPER_TILES void load_config() {
  static constexpr TileConfig kConfig;
  _tile_loadconfig(&kConfig);
}

DEEPER_TILES void release_config() { _tile_release(); }

DEEPER_VECTORS inline __mmask16 mask_of(std::int64_t channels) {
  return static_cast<__mmask16>((1U << static_cast<unsigned>(std::clamp<std::int64_t>(channels, 0, kLanes))) - 1U);
}

DEEPER_VECTORS inline __m512i constant(std::uint32_t bits) { return _mm512_set1_epi32(static_cast<int>(bits)); }

// Bits of `a` where those of `mask` are set, of `b` elsewhere.
DEEPER_VECTORS inline __m512i select(__m512i mask, __m512i a, __m512i b) {
  return _mm512_ternarylogic_epi32(mask, a, b, 0xCA);
}

// 64 numbers.
struct Vectors {
  __m512i of[kVectors];  // NOLINT(modernize-avoid-c-arrays): vector types lose their attributes as template arguments
};

// The three digits of 64 numbers, in the lowest bytes of v, each 128 above the digit's value but for the first ones
// of numbers without signs.
DEEPER_VECTORS inline void store_digits(const Vectors& v, bool is_signed, Digits* to) {
  const __m512i low_half = constant(0x0000FFFF);
  const __m512i even_bytes = constant(0x00FF00FF);
  const __m512i flip = constant(0x80808080);
  // Two of the four numbers of a lane: their two low bytes, and their third ones.
  const __m512i low02 = select(low_half, v.of[0], _mm512_slli_epi32(v.of[2], 16));
  const __m512i low13 = select(low_half, v.of[1], _mm512_slli_epi32(v.of[3], 16));
  const __m512i high02 = select(low_half, _mm512_srli_epi32(v.of[0], 16), v.of[2]);
  const __m512i high13 = select(low_half, _mm512_srli_epi32(v.of[1], 16), v.of[3]);
  const __m512i first = _mm512_or_si512(high02, _mm512_slli_epi32(high13, 8));
  const __m512i second = select(even_bytes, _mm512_srli_epi32(low02, 8), low13);
  const __m512i third = select(even_bytes, low02, _mm512_slli_epi32(low13, 8));
  _mm512_store_si512(&to->of[0], is_signed ? _mm512_xor_si512(first, flip) : first);
  _mm512_store_si512(&to->of[1], _mm512_xor_si512(second, flip));
  _mm512_store_si512(&to->of[2], _mm512_xor_si512(third, flip));
}

// Adds to the sums of a level the product of the first digits of pixels and of those of the weights that are loaded.
// The intrinsics take literals for tiles.
#define DEEPER_ADD_FIRST(level) \
  if constexpr (kSigned) {      \
    _tile_dpbssd(level, 4, 7);  \
  } else {                      \
    _tile_dpbusd(level, 4, 7);  \
  }

// Tiles 0 to 3 are the sums of the levels, 4 to 6 the digits of pixels, 7 one of the weights.
template <int kLevels, bool kSigned>
DEEPER_INLINE_TILES void add_products(const Digits* a, const Line* b) {
  _tile_loadd(7, b, kLineBytes);
  _tile_loadd(4, &a->of[0], kDigitsBytes);
  DEEPER_ADD_FIRST(0)
  _tile_loadd(5, &a->of[1], kDigitsBytes);
  _tile_dpbssd(1, 5, 7);
  _tile_loadd(6, &a->of[2], kDigitsBytes);
  _tile_dpbssd(2, 6, 7);
  _tile_loadd(7, b + kTileRows, kLineBytes);
  DEEPER_ADD_FIRST(1)
  _tile_dpbssd(2, 5, 7);
  if constexpr (kLevels == kMostLevels) _tile_dpbssd(3, 6, 7);
  _tile_loadd(7, b + 2 * kTileRows, kLineBytes);
  DEEPER_ADD_FIRST(2)
  if constexpr (kLevels == kMostLevels) _tile_dpbssd(3, 5, 7);
}

template <int kLevels, bool kSigned>
DEEPER_TILES void multiply_tiles(const TileProduct& product, Sums* sums) {
  order_memory();
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  if constexpr (kLevels == kMostLevels) _tile_zero(3);
  const Line* b = product.b;
  const Line* next = product.next;
  for (std::int64_t block = 0; block < product.blocks; ++block) {
    const Digits* a = product.a + block * product.block_stride;
    for (std::int64_t tap = 0; tap < product.tap_count; ++tap, b += kDigits * kTileRows) {
      add_products<kLevels, kSigned>(a + product.taps[tap], b);
      for (std::int64_t i = 0; i < product.next_lines; ++i, ++next) __builtin_prefetch(next, 0, 2);
    }
  }
  _tile_stored(0, &sums[0], kLineBytes);
  _tile_stored(1, &sums[1], kLineBytes);
  _tile_stored(2, &sums[2], kLineBytes);
  if constexpr (kLevels == kMostLevels) _tile_stored(3, &sums[3], kLineBytes);
  order_memory();
}

// Masks of the last, partial vectors of a block of inputs.
struct Masks {
  DEEPER_VECTORS explicit Masks(std::int64_t channels) {
    for (std::int64_t v = 0; v < kVectors; ++v) of[v] = mask_of(channels - v * kLanes);
  }
  std::array<__mmask16, kVectors> of{};
};

// How pixels of so many channels are split.
struct Splitting {
  DEEPER_VECTORS Splitting(std::int64_t channels, bool has_signs)
      : last_block((channels - 1) / kBlockInputs),
        last(channels - last_block * kBlockInputs),
        is_signed(has_signs),
        offset(constant(has_signs ? 0x00808080 : 0x00008080)) {}

  // Pixel `from` times `factor`.
  DEEPER_VECTORS void split(const float* from, __m512 factor, Digits* to, std::int64_t block_stride) const {
    for (std::int64_t block = 0; block < last_block; ++block, from += kBlockInputs, to += block_stride) {
      split_block(from, all, factor, to);
    }
    split_block(from, last, factor, to);
  }

 private:
  DEEPER_VECTORS void split_block(const float* from, const Masks& masks, __m512 factor, Digits* to) const {
    Vectors values;
    for (std::int64_t v = 0; v < kVectors; ++v) {
      const __m512 value = _mm512_maskz_loadu_ps(masks.of[v], from + v * kLanes);
      values.of[v] = _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(value, factor)), offset);
    }
    store_digits(values, is_signed, to);
  }

  std::int64_t last_block;
  Masks all{kBlockInputs};
  Masks last;
  bool is_signed;
  __m512i offset;
};

// By lane.
struct Extremes {
  __m512i largest;  // bits of a magnitude: those of infinities and of what is not a number are larger than numbers'
  __m512 least;

  DEEPER_VECTORS void add(const float* from, std::int64_t channels) {
    for (; channels >= kLanes; channels -= kLanes, from += kLanes) add(_mm512_loadu_ps(from));
    if (channels > 0) add(_mm512_maskz_loadu_ps(mask_of(channels), from));
  }
  DEEPER_VECTORS bool is_signed() const { return _mm512_cmp_ps_mask(least, _mm512_setzero_ps(), _CMP_LT_OQ) != 0; }

 private:
  DEEPER_VECTORS void add(__m512 values) {
    largest = _mm512_max_epi32(largest, _mm512_and_si512(_mm512_castps_si512(values), constant(0x7FFFFFFF)));
    least = _mm512_min_ps(values, least);  // the latter where a value is not a number
  }
};

// A number of these bits; none where they are not those of a finite one.
float finite(int bits) {
  const float value = std::bit_cast<float>(bits);
  return value <= std::numeric_limits<float>::max() ? value : std::numeric_limits<float>::quiet_NaN();
}

// The vectors of an Epilogue.
struct Activation {
  __m512 low;
  __m512 high;
  __m512 slope;
};

DEEPER_VECTORS inline __m512 activated(__m512 value, const Activation& with) {
  const __mmask16 negative = _mm512_cmp_ps_mask(value, _mm512_setzero_ps(), _CMP_LT_OQ);
  value = _mm512_mask_mul_ps(value, negative, value, with.slope);
  return _mm512_min_ps(with.high, _mm512_max_ps(with.low, value));
}

// Of a pixel, in units of level 0.
template <int kLevels>
DEEPER_VECTORS inline __m512 total_of(const Sums* sums, std::int64_t pixel) {
  const __m512 step = _mm512_set1_ps(1.0F / 256);
  __m512 total = _mm512_cvtepi32_ps(_mm512_load_si512(sums[kLevels - 1].of[pixel].data()));
  for (int level = kLevels - 2; level >= 0; --level) {
    total = _mm512_fmadd_ps(total, step, _mm512_cvtepi32_ps(_mm512_load_si512(sums[level].of[pixel].data())));
  }
  return total;
}

template <int kLevels>
DEEPER_VECTORS void finish_runs(const Finish& how, std::span<const Run> runs, const Sums* sums) {
  const Activation activation{.low = _mm512_set1_ps(how.epilogue.low),
                              .high = _mm512_set1_ps(how.epilogue.high),
                              .slope = _mm512_set1_ps(how.epilogue.slope)};
  const __mmask16 mask = mask_of(how.channels);
  const __m512 bias = how.bias != nullptr ? _mm512_maskz_loadu_ps(mask, how.bias) : _mm512_setzero_ps();
  const __m512 weight_units = _mm512_loadu_ps(how.weight_units);
  for (const Run& run : runs) {
    for (std::int64_t i = 0; i < run.count; ++i) {
      const std::int64_t pixel = run.first + i;
      const __m512 unit = _mm512_mul_ps(weight_units, _mm512_set1_ps(how.units[pixel]));
      float* kept = how.kept + pixel * kTileRows;
      __m512 value = how.result != nullptr ? bias : _mm512_setzero_ps();
      if (how.adds) value = _mm512_add_ps(value, _mm512_load_ps(kept));
      value = _mm512_fmadd_ps(total_of<kLevels>(sums, pixel), unit, value);
      if (how.result == nullptr) {
        _mm512_store_ps(kept, value);
        continue;
      }
      if (how.residual != nullptr) {
        const float* residual = how.residual + run.residual + i * how.residual_stride;
        value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, residual));
      }
      _mm512_mask_storeu_ps(how.result + run.result + i * how.result_stride, mask, activated(value, activation));
    }
  }
}

}  // namespace

Tiles::Tiles() { load_config(); }

Tiles::~Tiles() { release_config(); }

DEEPER_VECTORS Found find(const Pixels& pixels, Found others) {
  Extremes found{.largest = constant(std::bit_cast<std::uint32_t>(others.largest)), .least = _mm512_setzero_ps()};
  for (std::int64_t i = 0; i < pixels.count; ++i) found.add(pixels.from + i * pixels.stride, pixels.channels);
  return {.largest = finite(_mm512_reduce_max_epi32(found.largest)),
          .is_signed = others.is_signed || found.is_signed()};
}

Scale::Scale(const Found& found) : is_signed(found.is_signed) {
  constexpr float kLeast = 0x1p-100F;  // whose reciprocal is finite
  const float largest = found.largest < kLeast ? kLeast : found.largest;
  factor = kFull / largest * (is_signed ? 1 : 2);
  unit = is_signed ? largest : largest / 2;
}

DEEPER_VECTORS void split(const Pixels& pixels, const Scale& scale, Digits* to, std::int64_t block_stride) {
  const Splitting splitting(pixels.channels, scale.is_signed);
  const __m512 factor = _mm512_set1_ps(scale.factor);
  for (std::int64_t i = 0; i < pixels.count; ++i) {
    splitting.split(pixels.from + i * pixels.stride, factor, to + i, block_stride);
  }
}

DEEPER_VECTORS bool split(const ScaledPixels& pixels, Digits* to, std::int64_t block_stride, float* units) {
  std::array<float, kTileRows> largest{};
  __m512 least = _mm512_setzero_ps();
  for (std::int64_t i = 0; i < pixels.count; ++i) {
    if (pixels.from[i] == nullptr) continue;
    Extremes found{.largest = _mm512_setzero_si512(), .least = least};
    found.add(pixels.from[i], pixels.channels);
    largest[i] = finite(_mm512_reduce_max_epi32(found.largest));
    least = found.least;
  }
  const bool is_signed = Extremes{.largest = {}, .least = least}.is_signed();
  const Splitting splitting(pixels.channels, is_signed);
  for (std::int64_t i = 0; i < pixels.count; ++i) {
    const Scale scale({.largest = largest[i], .is_signed = is_signed});
    units[i] = scale.unit;
    if (pixels.from[i] != nullptr) {
      splitting.split(pixels.from[i], _mm512_set1_ps(scale.factor), to + i, block_stride);
    } else {
      for (std::int64_t c = 0; c < pixels.channels; c += kBlockInputs) to[c / kBlockInputs * block_stride + i] = {};
    }
  }
  return is_signed;
}

void multiply(const TileProduct& product, bool is_signed, int levels, Sums* sums) {
  if (!is_signed) return multiply_tiles<kMostLevels - 1, false>(product, sums);
  (levels == kMostLevels ? multiply_tiles<kMostLevels, true> : multiply_tiles<kMostLevels - 1, true>)(product, sums);
}

void finish(const Finish& finish, std::span<const Run> runs, const Sums* sums) {
  (finish.levels == kMostLevels ? finish_runs<kMostLevels> : finish_runs<kMostLevels - 1>)(finish, runs, sums);
}

}  // namespace deeper::backend::amx
