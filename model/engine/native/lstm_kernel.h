// One recurrent layer over many texts, from token ids to pooled states, written once for all instruction sets.
//
// `V` is a layer of vector operations (vectors_*.h): `V::Float` and `V::Int` hold V::LANES units. A tile of V::TILE rows
// and one vector of units keeps its sums (rows times four gates) in registers while the weights go by; the products are
// of 8-bit integers, V::DEPTH for each sum and those of V::ROWS rows at once, everything else is float32. In the first layer the input's part of the gates is not
// computed at all: it is looked up in a table with a row for each token of the vocabulary, of bytes and their steps. Above it
// the states of the layer below are copied beside a row's own, and one product does for both.
//
// Everything here is in an anonymous namespace and calls no inline function of the standard library: two files compiled
// for different processors must not share one function, of which the linker would keep either.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cells.h"
#include "model.h"

namespace sluice {
namespace {

// What a tile reads and writes at one step; rows lie `hidden` apart, those of `h` and `h_next` `depth`.
struct Tile {
    const Direction *direction;
    int hidden, depth;
    int group;                      // first vector of units, counted from the row's beginning
    bool ends;                      // some row's text is over: its last state is wanted
    bool looked_up;                 // the input's part of the gates: else it is in the products
    const Input *inputs, *next;     // of each row, this step's places in the table and the next step's
    const uint8_t *h;
    uint8_t *h_next;
    float *c, *largest, *sum, *last;
};

// Place of a group of V::LANES units in what is stored by blocks of 16 units.
template <class V>
struct Place {
    int block, lane;
    explicit Place(int group)
        : block(group / (BLOCK_UNITS / V::LANES)), lane(group % (BLOCK_UNITS / V::LANES) * V::LANES) {}
    size_t of_gate(int gate) const { return (static_cast<size_t>(block) * GATES + gate) * BLOCK_UNITS + lane; }
};

// Steps of the table as the floating-point gates want them.
constexpr struct InputSteps {
    float of[256]{};
    constexpr InputSteps() {
        for (int n = 0; n < 256; ++n) of[n] = -LOG2_E * INPUT_STEP * static_cast<float>(n);
    }
} input_steps;

// Place of a token in the table.
INLINE Input input_of(const Direction &direction, int32_t token, int hidden) {
    const size_t at = static_cast<size_t>(token) * static_cast<size_t>(hidden / BLOCK_UNITS) * GATES;
    return {direction.table + at * BLOCK_UNITS, direction.steps + at};
}

template <class V>
INLINE typename V::Float looked_up_gate(const Input &input, const Place<V> &place, int gate) {
    const float step = input_steps.of[input.steps[place.block * GATES + gate]];
    return V::mul(V::load_whole(input.values + place.of_gate(gate)), V::set(step));
}

// Integer sums [Rows][Groups][4] of the recurrent products of a tile. A function of its own, which leaves them in memory:
// inlined, GCC keeps them there all the time.
template <class V, int Rows, int Groups>
__attribute__((noinline)) void products(const Tile &tile, typename V::Int (&to)[Rows][Groups][GATES]) {
    constexpr int PARTS = (Rows + V::ROWS - 1) / V::ROWS;  // an odd row has itself beside it
    typename V::Sums sums[PARTS][Groups][GATES];
    const size_t apart = static_cast<size_t>(tile.depth);
    const int8_t *weights[Groups];
#pragma GCC unroll 8
    for (int q = 0; q < Groups; ++q) {
        const Place<V> place(tile.group + q);
        weights[q] = tile.direction->weights + static_cast<size_t>(place.block) * tile.depth * GATES * BLOCK_UNITS +
                     place.lane * V::DEPTH;
#pragma GCC unroll 8
        for (int p = 0; p < PARTS; ++p)
#pragma GCC unroll 4
            for (int g = 0; g < GATES; ++g) sums[p][q][g] = V::start(tile.direction->offsets + place.of_gate(g));
    }
    const uint8_t *h = tile.h;
    for (int k = 0; k < tile.depth; k += V::DEPTH, h += V::DEPTH) {
#pragma GCC unroll 8
        for (int q = 0; q < Groups; ++q) {
            typename V::Bytes w[GATES];
#pragma GCC unroll 4
            for (int g = 0; g < GATES; ++g) w[g] = V::load_bytes(weights[q] + g * BLOCK_UNITS * V::DEPTH);
            weights[q] += GATES * BLOCK_UNITS * V::DEPTH;
#pragma GCC unroll 8
            for (int p = 0; p < PARTS; ++p) {
                const int row = p * V::ROWS;
                const typename V::States states = V::load_states(h + row * apart, row + 1 < Rows ? apart : 0);
#pragma GCC unroll 4
                for (int g = 0; g < GATES; ++g) sums[p][q][g] = V::dot(sums[p][q][g], states, w[g]);
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 8
        for (int q = 0; q < Groups; ++q)
#pragma GCC unroll 4
            for (int g = 0; g < GATES; ++g) to[r][q][g] = V::of_row(sums[r / V::ROWS][q][g], r % V::ROWS);
}

// One step of `Rows` rows and `Groups` vectors of units. At the first step this layer's states are zero: in the lowest
// layer that leaves no products.
template <class V, class Cell, int Rows, int Groups, bool First>
void step(const Tile &tile) {
    typename V::Int sums[Rows][Groups][GATES];
    const bool looked_up = tile.looked_up, multiplied = !First || !looked_up;
    if (multiplied) products<V, Rows, Groups>(tile, sums);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 8
        for (int q = 0; q < Groups; ++q) {
            const Place<V> place(tile.group + q);
            // The table is far larger than the cache: what the next step looks up is fetched while this one computes.
            if (place.lane == 0 && looked_up) __builtin_prefetch(tile.next[r].values + place.of_gate(0));
            typename V::Float gates[GATES];
#pragma GCC unroll 4
            for (int g = 0; g < GATES; ++g) {
                gates[g] = looked_up ? looked_up_gate<V>(tile.inputs[r], place, g)
                                     : V::load(tile.direction->bias + place.of_gate(g));
                const typename V::Float scale = V::load(tile.direction->scales + place.of_gate(g));
                if (multiplied) gates[g] = V::fma(V::to_float(sums[r][q][g]), scale, gates[g]);
            }
            const size_t unit = (tile.group + q) * V::LANES, at = static_cast<size_t>(r) * tile.hidden + unit;
            typename V::Float cells = First ? V::set(0.0f) : V::load(tile.c + at);
            const typename V::Float state = Cell::template next<V>(gates, cells);
            V::store(tile.c + at, cells);
            if (tile.ends) V::store(tile.last + at, state);
            V::store(tile.largest + at, First ? state : V::max(V::load(tile.largest + at), state));
            V::store(tile.sum + at, First ? state : V::add(V::load(tile.sum + at), state));
            V::store_states(tile.h_next + static_cast<size_t>(r) * tile.depth + unit, state);
        }
}

template <class V, class Cell, int Rows, int Groups>
void choose(const Tile &tile, bool first) {
    first ? step<V, Cell, Rows, Groups, true>(tile) : step<V, Cell, Rows, Groups, false>(tile);
}

template <class V, class Cell>
void run_tile(const Tile &tile, int rows, bool first) {
    switch (rows) {
        case 1: return choose<V, Cell, 1, 1>(tile, first);
        case 2: return choose<V, Cell, 2, 1>(tile, first);
        case 3: return choose<V, Cell, 3, 1>(tile, first);
        case 4: return choose<V, Cell, V::TILE < 4 ? 1 : 4, 1>(tile, first);
        case 5: return choose<V, Cell, V::TILE < 5 ? 1 : 5, 1>(tile, first);
        default: return choose<V, Cell, V::TILE < 6 ? 1 : 6, 1>(tile, first);
    }
}

// One time step of the first `active` rows.
template <class V, class Cell>
void run_step(Tile tile, int active, bool first) {
    const Tile whole = tile;
    const int num_groups = tile.hidden / V::LANES;
    tile.group = 0;
    // A row alone: each product waits for the one that it is added to, and each step of a gate for the one before. Two
    // groups at once give the processor something to do meanwhile (a fifth faster; four are no better).
    if (active == 1)
        for (; tile.group + 2 <= num_groups; tile.group += 2) choose<V, Cell, 1, 2>(tile, first);
    for (; tile.group < num_groups; ++tile.group)
        for (int r = 0; r < active; r += V::TILE) {
            const size_t at = static_cast<size_t>(r) * tile.hidden, at_h = static_cast<size_t>(r) * tile.depth;
            tile.inputs = whole.inputs + r;
            tile.next = whole.next + r;
            tile.h = whole.h + at_h;
            tile.h_next = whole.h_next + at_h;
            tile.c = whole.c + at;
            tile.largest = whole.largest + at;
            tile.sum = whole.sum + at;
            tile.last = whole.last + at;
            run_tile<V, Cell>(tile, active - r < V::TILE ? active - r : V::TILE, first);
        }
}

// Where a row's token of step t stands in the text.
INLINE int64_t place_of(const Pass &pass, const Rows &rows, int row, int64_t t) {
    return pass.backward ? rows.lengths[row] - 1 - t : t;
}

// Place in the table of a row's token of step t.
INLINE Input step_input(const Pass &pass, const Rows &rows, int row, int64_t t) {
    return input_of(*pass.direction, rows.ids[row][place_of(pass, rows, row, t)], pass.hidden);
}

template <class V, class Cell>
void run_cell(const Pass &pass, const Rows &rows, const State &state) {
    const size_t depth = static_cast<size_t>(pass.depth());
    const bool looked_up = pass.below == nullptr;
    const auto token = [&](int row, int64_t t) {  // where states that layers hand on begin
        return static_cast<size_t>(rows.firsts[row] + place_of(pass, rows, row, t)) * pass.width;
    };
    if (!looked_up)
        for (int r = 0; r < rows.count; ++r) __builtin_memset(state.h[0] + r * depth, V::SIGNED ? 0 : H_ZERO, pass.hidden);
    int active = rows.count;
    for (int64_t t = 0; t < rows.lengths[0]; ++t) {
        while (active > 0 && rows.lengths[active - 1] <= t) --active;
        uint8_t *const h = state.h[t & 1], *const h_next = state.h[(t + 1) & 1];
        Input inputs[BLOCK_ROWS], next[BLOCK_ROWS];
        for (int r = 0; r < active; ++r)
            if (looked_up) {
                inputs[r] = step_input(pass, rows, r, t);
                next[r] = t + 1 < rows.lengths[r] ? step_input(pass, rows, r, t + 1) : inputs[r];
                __builtin_prefetch(next[r].steps);
            } else {
                __builtin_memcpy(h + r * depth + pass.hidden, pass.below + token(r, t), pass.width);
            }
        const bool ends = rows.lengths[active - 1] == t + 1;
        const Tile tile{pass.direction, pass.hidden, pass.depth(), 0, ends, looked_up, inputs, next, h, h_next,
                        state.c, state.largest, state.sum, state.last};
        run_step<V, Cell>(tile, active, t == 0);
        if (pass.above != nullptr)
            for (int r = 0; r < active; ++r)
                __builtin_memcpy(pass.above + token(r, t), h_next + r * depth, pass.hidden);
    }
}

template <class V>
void run(const Pass &pass, const Rows &rows, const State &state) {
    pass.gru ? run_cell<V, Gru>(pass, rows, state) : run_cell<V, Lstm>(pass, rows, state);
}

template <class V>
void sums(const Direction &direction, int hidden, const int8_t *states, int32_t *out) {
    alignas(64) uint8_t h[MAX_HIDDEN];
    for (int k = 0; k < hidden; ++k) h[k] = static_cast<uint8_t>(V::SIGNED ? states[k] : states[k] + H_ZERO);
    Tile tile{};
    tile.direction = &direction;
    tile.hidden = tile.depth = hidden;
    tile.h = h;
    for (tile.group = 0; tile.group < hidden / V::LANES; ++tile.group) {
        typename V::Int found[1][1][GATES];
        products<V, 1, 1>(tile, found);
        for (int g = 0; g < GATES; ++g)
            __builtin_memcpy(out + Place<V>(tile.group).of_gate(g), &found[0][0][g], sizeof found[0][0][g]);
    }
}

template <class V>
float sum_of_lanes(typename V::Float sum) {
    float lanes[V::LANES], total = 0;
    V::store_anywhere(lanes, sum);
    for (const float lane : lanes) total += lane;
    return total;
}

template <class V>
float dot(const float *a, const float *b, int n) {
    typename V::Float sum = V::set(0.0f);
    for (int j = 0; j < n; j += V::LANES) sum = V::fma(V::load(a + j), V::load(b + j), sum);
    return sum_of_lanes<V>(sum);
}

}  // namespace
}  // namespace sluice
