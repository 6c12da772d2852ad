// Intrinsics throughout: Highway has no tiles.
#include "backend/kernels/amx_tiles.h"

#ifndef __clang__
// gcc 12 takes what its own AVX-512 intrinsics leave undefined for uninitialised.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <algorithm>

#include "backend/kernels/rounding.h"

namespace deeper::backend::amx {
namespace {

#define DEEPER_VECTORS __attribute__((target("avx512f")))
#define DEEPER_TILES __attribute__((target("amx-tile,amx-bf16")))
#define DEEPER_INLINE_TILES DEEPER_TILES __attribute__((always_inline)) inline

constexpr std::int64_t kLanes = 16;
constexpr std::int64_t kLineBytes = sizeof(Line);

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

// The upper halves of numbers, which are bf16.
DEEPER_VECTORS inline __m512i upper(__m512i value) {
  return _mm512_and_si512(value, _mm512_set1_epi32(static_cast<int>(0xFFFF0000U)));
}

// The bits to take the next part from. Three parts cut off hold all 24 bits; the first of two is rounded, which leaves
// the second one bit more.
template <int kParts>
DEEPER_VECTORS inline __m512i nearest(__m512 value) {
  const __m512i bits = _mm512_castps_si512(value);
  return kParts == 3 ? bits : _mm512_add_epi32(bits, _mm512_set1_epi32(0x8000));
}

template <int kParts>
DEEPER_VECTORS void split_pixels(const float* from, std::int64_t stride, std::int64_t pixels, std::int64_t channels,
                                 Line* to, std::int64_t part_lines) {
  const __mmask16 low_mask = mask_of(channels);
  const __mmask16 high_mask = mask_of(channels - kLanes);
  for (std::int64_t i = 0; i < pixels; ++i, from += stride) {
    __m512 low = _mm512_maskz_loadu_ps(low_mask, from);
    __m512 high = _mm512_maskz_loadu_ps(high_mask, from + kLanes);
    for (int part = 0; part < kParts; ++part) {
      const __m512i low_bits = nearest<kParts>(low);
      const __m512i high_bits = upper(nearest<kParts>(high));
      _mm512_store_si512(to + part * part_lines + i, _mm512_or_si512(_mm512_srli_epi32(low_bits, 16), high_bits));
      if (part + 1 == kParts) break;
      low = _mm512_sub_ps(low, _mm512_castsi512_ps(upper(low_bits)));
      high = _mm512_sub_ps(high, _mm512_castsi512_ps(high_bits));
    }
  }
}

// Tiles 0 to 3 are the sums, 4 and 5 pixels, 6 and 7 weights.
template <int kPixelTiles>
DEEPER_INLINE_TILES void load_pixels(const Line* a) {
  _tile_loadd(4, a, kLineBytes);
  if constexpr (kPixelTiles == 2) _tile_loadd(5, a + kTileRows, kLineBytes);
}

template <int kChannelTiles>
DEEPER_INLINE_TILES void load_weights(const Line* b) {
  _tile_loadd(6, b, kLineBytes);
  if constexpr (kChannelTiles == 2) _tile_loadd(7, b + kTileRows, kLineBytes);
}

template <int kPixelTiles, int kChannelTiles>
DEEPER_INLINE_TILES void add_products() {
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (kChannelTiles == 2) _tile_dpbf16ps(1, 4, 7);
  if constexpr (kPixelTiles == 2) _tile_dpbf16ps(2, 5, 6);
  if constexpr (kPixelTiles == 2 && kChannelTiles == 2) _tile_dpbf16ps(3, 5, 7);
}

// One tap of one block of inputs: the products of parts, small ones first, each loading one side only.
template <int kParts, int kPixelTiles, int kChannelTiles>
DEEPER_INLINE_TILES void add_parts(const TileProduct& product, const Line* a, const Line* b) {
  constexpr std::int64_t kPart = kChannelTiles * kTileRows;
  const auto next_pixels = [&](int part) DEEPER_TILES {
    load_pixels<kPixelTiles>(a + part * product.part_lines);
    add_products<kPixelTiles, kChannelTiles>();
    product.meanwhile(product.state);
  };
  const auto next_weights = [&](int part) DEEPER_TILES {
    load_weights<kChannelTiles>(b + part * kPart);
    add_products<kPixelTiles, kChannelTiles>();
    product.meanwhile(product.state);
  };
  load_pixels<kPixelTiles>(a);
  if constexpr (kParts == 3) {
    next_weights(2);
    next_weights(1);
    next_pixels(1);
    next_weights(0);
    next_pixels(2);
    next_pixels(0);
  } else {
    next_weights(1);
    next_weights(0);
    next_pixels(1);
  }
}

template <int kPixelTiles, int kChannelTiles>
DEEPER_INLINE_TILES void clear_sums() {
  _tile_zero(0);
  if constexpr (kChannelTiles == 2) _tile_zero(1);
  if constexpr (kPixelTiles == 2) _tile_zero(2);
  if constexpr (kPixelTiles == 2 && kChannelTiles == 2) _tile_zero(3);
}

template <int kPixelTiles, int kChannelTiles>
DEEPER_INLINE_TILES void load_sums(const float* sums, std::int64_t stride) {
  const auto bytes = static_cast<std::int64_t>(sizeof(float)) * stride;
  _tile_loadd(0, sums, bytes);
  if constexpr (kChannelTiles == 2) _tile_loadd(1, sums + kLanes, bytes);
  if constexpr (kPixelTiles == 2) _tile_loadd(2, sums + kTileRows * stride, bytes);
  if constexpr (kPixelTiles == 2 && kChannelTiles == 2) _tile_loadd(3, sums + kTileRows * stride + kLanes, bytes);
}

template <int kPixelTiles, int kChannelTiles>
DEEPER_INLINE_TILES void store_sums(float* sums, std::int64_t stride) {
  const auto bytes = static_cast<std::int64_t>(sizeof(float)) * stride;
  _tile_stored(0, sums, bytes);
  if constexpr (kChannelTiles == 2) _tile_stored(1, sums + kLanes, bytes);
  if constexpr (kPixelTiles == 2) _tile_stored(2, sums + kTileRows * stride, bytes);
  if constexpr (kPixelTiles == 2 && kChannelTiles == 2) _tile_stored(3, sums + kTileRows * stride + kLanes, bytes);
}

template <int kParts, int kPixelTiles, int kChannelTiles>
DEEPER_TILES void multiply_tiles(const TileProduct& product) {
  order_memory();
  if (product.adds) {
    load_sums<kPixelTiles, kChannelTiles>(product.sums, product.stride);
  } else {
    clear_sums<kPixelTiles, kChannelTiles>();
  }
  const Line* b = product.b;
  for (std::int64_t block = 0; block < product.blocks; ++block) {
    const Line* a = product.a + block * product.block_lines;
    for (std::int64_t tap = 0; tap < product.tap_count; ++tap, b += kParts * kChannelTiles * kTileRows) {
      add_parts<kParts, kPixelTiles, kChannelTiles>(product, a + product.taps[tap], b);
    }
  }
  store_sums<kPixelTiles, kChannelTiles>(product.sums, product.stride);
  order_memory();
}

template <int kParts>
Multiply multiply_of(std::int64_t pixel_tiles, std::int64_t channel_tiles) {
  if (pixel_tiles == 2) return channel_tiles == 2 ? multiply_tiles<kParts, 2, 2> : multiply_tiles<kParts, 2, 1>;
  return channel_tiles == 2 ? multiply_tiles<kParts, 1, 2> : multiply_tiles<kParts, 1, 1>;
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

}  // namespace

Tiles::Tiles() { load_config(); }

Tiles::~Tiles() { release_config(); }

void split(const float* from, std::int64_t stride, std::int64_t pixels, std::int64_t channels, int parts, Line* to,
           std::int64_t part_lines) {
  (parts == 3 ? split_pixels<3> : split_pixels<2>)(from, stride, pixels, channels, to, part_lines);
}

Multiply multiply(int parts, std::int64_t pixel_tiles, std::int64_t channel_tiles) {
  return parts == 3 ? multiply_of<3>(pixel_tiles, channel_tiles) : multiply_of<2>(pixel_tiles, channel_tiles);
}

DEEPER_VECTORS void finish(const Finish& finish, std::int64_t pixels, const float* sums, const float* residual,
                           float* result) {
  const Activation activation{.low = _mm512_set1_ps(finish.epilogue.low),
                              .high = _mm512_set1_ps(finish.epilogue.high),
                              .slope = _mm512_set1_ps(finish.epilogue.slope)};
  for (std::int64_t c = 0; c < finish.channels; c += kLanes) {
    const __mmask16 mask = mask_of(finish.channels - c);
    const __m512 bias = finish.bias != nullptr ? _mm512_maskz_loadu_ps(mask, finish.bias + c) : _mm512_setzero_ps();
    for (std::int64_t i = 0; i < pixels; ++i) {
      __m512 value = _mm512_add_ps(_mm512_loadu_ps(sums + i * finish.sums_stride + c), bias);
      if (residual != nullptr) {
        value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, residual + i * finish.residual_stride + c));
      }
      _mm512_mask_storeu_ps(result + i * finish.result_stride + c, mask, activated(value, activation));
    }
  }
}

}  // namespace deeper::backend::amx
