// The products of fixed_kernel.h by VNNI: a row's states, four at a time, in every lane.
#pragma once

#include "fixed_gates.h"
#include "vectors_avx512.h"

namespace sluice {
namespace {

constexpr int AHEAD = 1024;  // bytes

// Integer sums [Count][2][4] of the recurrent products. A function of its own, which leaves them in memory: inlined, GCC
// keeps them there all the time.
//
// A row alone has itself for the second of its pair; then the weights come from the second cache, one after another, and
// are asked for early.
template <int Count, bool Alone>
__attribute__((noinline)) void pair_products(const PairTile &tile, __m512i (&to)[Count][2][GATES]) {
    __m512i sums[Count][2][GATES];
    const size_t block = static_cast<size_t>(tile.block), apart = static_cast<size_t>(tile.depth);
    const int32_t *offsets = tile.direction->offsets + block * GATES * BLOCK_UNITS;
#pragma GCC unroll 3
    for (int p = 0; p < Count; ++p)
#pragma GCC unroll 4
        for (int g = 0; g < GATES; ++g) sums[p][0][g] = sums[p][1][g] = _mm512_load_si512(offsets + g * BLOCK_UNITS);
    const int8_t *w = tile.direction->weights + block * tile.depth * GATES * BLOCK_UNITS;
    const uint8_t *h = tile.bytes;
    for (int k = 0; k < tile.depth; k += 4, h += 4, w += GATES * BLOCK_UNITS * 4) {
        __m512i weights[GATES];
#pragma GCC unroll 4
        for (int g = 0; g < GATES; ++g) {
            weights[g] = _mm512_load_si512(w + g * BLOCK_UNITS * 4);
            if (Alone) __builtin_prefetch(w + AHEAD + g * BLOCK_UNITS * 4);
        }
#pragma GCC unroll 3
        for (int p = 0; p < Count; ++p)
#pragma GCC unroll 2
            for (int r = 0; r < (Alone ? 1 : 2); ++r) {
                const __m512i states = Avx512::load_states(h + (2 * p + r) * apart);
#pragma GCC unroll 4
                for (int g = 0; g < GATES; ++g) sums[p][r][g] = Avx512::dot(sums[p][r][g], states, weights[g]);
            }
    }
#pragma GCC unroll 3
    for (int p = 0; p < Count; ++p)
#pragma GCC unroll 4
        for (int g = 0; g < GATES; ++g) {
            to[p][0][g] = sums[p][0][g];
            to[p][1][g] = sums[p][Alone ? 0 : 1][g];
        }
}

// Computes a block of units of up to PAIRS pairs of rows.
struct Vnni {
    static constexpr int PAIRS = 3;  // 24 sums of 32 registers

    static void begin(int) {}
    static void end() {}

    template <class Cell, bool First>
    static void step(const PairTile &tile, int pairs, bool alone) {
        if (alone) return steps<Cell, 1, First, true>(tile);
        if (pairs >= PAIRS) return steps<Cell, PAIRS, First>(tile);
        pairs == 2 ? steps<Cell, 2, First>(tile) : steps<Cell, 1, First>(tile);
    }

    // Sums of the first row alone.
    static void row_sums(const PairTile &tile, __m512i (&to)[GATES]) {
        __m512i sums[1][2][GATES];
        pair_products<1, false>(tile, sums);
        for (int g = 0; g < GATES; ++g) to[g] = sums[0][0][g];
    }

  private:
    template <class Cell, int Count, bool First, bool Alone = false>
    static INLINE void steps(const PairTile &tile) {
        __m512i sums[Count][2][GATES];
        if (!First) pair_products<Count, Alone>(tile, sums);
#pragma GCC unroll 3
        for (int p = 0; p < Count; ++p) pair_states<Cell, First>(tile, p, sums[p]);
    }
};

}  // namespace
}  // namespace sluice
