// The products of fixed_kernel.h by tiles: twelve rows, 64 of their states and 16 units of a gate in one instruction.
//
// The weights are those of the other kernels, [D / 4][4 gates][16][4] of a block of units: 16 groups of four states, 256
// bytes apart, are a tile. A row alone goes to `Vnni`: eleven twelfths of a tile would be for nothing.
#pragma once

#include "amx_tiles.h"
#include "fixed_products.h"

namespace sluice {
namespace {

template <class Tiles>
struct Matrix {
    static constexpr int PAIRS = BLOCK_ROWS / 4;  // a block of texts is two tiles

    static void begin(int depth) {
        TileShapes shapes;
        for (int gate = 0; gate < GATES; ++gate) shapes.set(gate, ROWS, BLOCK_UNITS * 4);
        shapes.set(STATES, ROWS, TILE_BYTES);
        shapes.set(WEIGHTS, TILE_BYTES / 4, BLOCK_UNITS * 4);
        if (const int rest = depth % TILE_BYTES) {
            shapes.set(LAST_STATES, ROWS, rest);
            shapes.set(LAST_WEIGHTS, rest / 4, BLOCK_UNITS * 4);
        }
        Tiles::configure(shapes);
    }
    static void end() { Tiles::release(); }

    template <class Cell, bool First>
    static void step(const PairTile &tile, int pairs, bool alone) {
        if (alone) return Vnni::step<Cell, First>(tile, pairs, alone);
        __m512i sums[PAIRS][2][GATES];
        if (!First) products(tile, sums);
        for (int p = 0; p < (pairs < PAIRS ? pairs : PAIRS); ++p) pair_states<Cell, First>(tile, p, sums[p]);
    }

    static void row_sums(const PairTile &tile, __m512i (&to)[GATES]) {
        __m512i sums[PAIRS][2][GATES];
        products(tile, sums);
        for (int g = 0; g < GATES; ++g) to[g] = sums[0][0][g];
    }

  private:
    static constexpr int ROWS = 2 * PAIRS;
    static constexpr int STATES = 4, WEIGHTS = 5, LAST_STATES = 6, LAST_WEIGHTS = 7;  // tiles; the first four are the gates' sums
    static constexpr size_t APART = GATES * BLOCK_UNITS * 4;  // bytes: of groups of weights, and of rows of sums

    // Rows that no text has any more are computed too; nobody reads them.
    static void products(const PairTile &tile, __m512i (&to)[PAIRS][2][GATES]) {
        const size_t block = static_cast<size_t>(tile.block), depth = static_cast<size_t>(tile.depth);
        const int32_t *offsets = tile.direction->offsets + block * GATES * BLOCK_UNITS;
        Tiles::template load<0>(offsets, 0);
        Tiles::template load<1>(offsets + BLOCK_UNITS, 0);
        Tiles::template load<2>(offsets + 2 * BLOCK_UNITS, 0);
        Tiles::template load<3>(offsets + 3 * BLOCK_UNITS, 0);
        const int8_t *w = tile.direction->weights + block * depth * GATES * BLOCK_UNITS;
        const uint8_t *h = tile.bytes, *const end = h + depth;
        for (; h + TILE_BYTES <= end; h += TILE_BYTES, w += TILE_BYTES * GATES * BLOCK_UNITS) {
            Tiles::template load<STATES>(h, depth);
            all_gates<STATES, WEIGHTS>(w);
        }
        if (h < end) {
            Tiles::template load<LAST_STATES>(h, depth);
            all_gates<LAST_STATES, LAST_WEIGHTS>(w);
        }
        Tiles::template store<0>(&to[0][0][0], APART);
        Tiles::template store<1>(&to[0][0][1], APART);
        Tiles::template store<2>(&to[0][0][2], APART);
        Tiles::template store<3>(&to[0][0][3], APART);
    }

    template <int Of, int With>
    static INLINE void all_gates(const int8_t *w) {
        one_gate<0, Of, With>(w);
        one_gate<1, Of, With>(w);
        one_gate<2, Of, With>(w);
        one_gate<3, Of, With>(w);
    }

    template <int Gate, int Of, int With>
    static INLINE void one_gate(const int8_t *w) {
        Tiles::template load<With>(w + Gate * BLOCK_UNITS * 4, APART);
        Tiles::template dot<Gate, Of, With>();
    }
};

}  // namespace
}  // namespace sluice
