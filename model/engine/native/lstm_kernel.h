// One recurrent layer of LSTM over many texts, from token ids to pooled states, written once for all instruction sets.
//
// `V` is a layer of vector operations (vectors_*.h): `V::Float` and `V::Int` hold V::LANES units. A tile of V::TILE rows
// and one vector of units keeps its sums (rows times four gates) in registers while the weights go by; the products are
// of 8-bit integers, four to a lane, everything else is float32. The input's part of the gates is not computed at all: it
// is looked up in a table with a row for each token of the vocabulary, in half precision.
//
// Equations: Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000, as in model/cell.py.
//
// Everything here is in an anonymous namespace and calls no inline function of the standard library: two files compiled
// for different processors must not share one function, of which the linker would keep either.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model.h"

#define INLINE inline __attribute__((always_inline))

namespace sluice {
namespace {

constexpr float LIMIT = 29;  // of a power: 1 / (1 + 2^29) is 0 to a gate; keeps a product of three finite
constexpr float LOG2_E = 1.44269504f;

// 2^y for y up to 2^21, to 8e-5 relative: 2^n * 2^f with n the nearest integer and a polynomial of degree 3 for 2^f
// (least largest relative error on [-1/2, 1/2], by reweighted least squares). Adding 1.5 * 2^23 leaves n in the lowest
// bits, whence a shift takes it to those of the exponent.
template <class V>
INLINE typename V::Float power_of_two(typename V::Float y) {
    const typename V::Float magic = V::set(12582912.0f);
    y = V::max(y, V::set(-126.0f));
    const typename V::Float above = V::add(y, magic);
    const typename V::Float f = V::sub(y, V::sub(above, magic));
    typename V::Float p = V::set(5.51716648e-2f);
    p = V::fma(p, f, V::set(2.42611122e-1f));
    p = V::fma(p, f, V::set(6.93260986e-1f));
    p = V::fma(p, f, V::set(9.99928071e-1f));
    return V::scale_by_low_bits(p, above);
}

// New cell and hidden state. The gates come as -log2(e) x, that of the cell as twice as much, so that with
// E_x = e^-x = 2^gate: sigmoid(x) = 1 / (1 + E_x), tanh(x) = (1 - E_2x) / (1 + E_2x). All over common denominators: five
// powers and two reciprocals.
template <class V>
INLINE void cell(const typename V::Float gates[GATES], typename V::Float &c, typename V::Float &h) {
    const typename V::Float one = V::set(1.0f), limit = V::set(LIMIT);
    const typename V::Float e_i = power_of_two<V>(V::min(gates[0], limit));
    const typename V::Float e_f = power_of_two<V>(V::min(gates[1], limit));
    const typename V::Float e_g = power_of_two<V>(V::min(gates[2], limit));
    const typename V::Float e_o = power_of_two<V>(V::min(gates[3], limit));
    const typename V::Float not_f = V::add(one, e_f);
    const typename V::Float not_ig = V::mul(V::add(one, e_i), V::add(one, e_g));
    const typename V::Float above = V::fma(c, not_ig, V::mul(V::sub(one, e_g), not_f));
    c = V::mul(above, V::reciprocal(V::mul(not_ig, not_f)));
    const typename V::Float e_c = power_of_two<V>(V::min(V::mul(c, V::set(-2 * LOG2_E)), limit));
    const typename V::Float below = V::mul(V::add(one, e_o), V::add(one, e_c));
    h = V::mul(V::sub(one, e_c), V::reciprocal(below));
}

// What a tile reads and writes at one step; rows lie `hidden` apart.
struct Tile {
    const Direction *direction;
    int hidden;
    int group;                      // first vector of units, counted from the row's beginning
    bool ends;                      // some row's text is over: its last state is wanted
    const uint16_t *const *inputs;  // of each row, this step's place in the table
    const uint16_t *const *next;    // and the next step's
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

// Integer sums [Rows][Groups][4] of the recurrent products of a tile. A function of its own, which leaves them in memory:
// inlined, GCC keeps them there all the time.
template <class V, int Rows, int Groups>
__attribute__((noinline)) void products(const Tile &tile, typename V::Int (&to)[Rows][Groups][GATES]) {
    typename V::Int sums[Rows][Groups][GATES];
    const size_t apart = static_cast<size_t>(tile.hidden);
    const int8_t *weights[Groups];
#pragma GCC unroll 8
    for (int q = 0; q < Groups; ++q) {
        const Place<V> place(tile.group + q);
        weights[q] = tile.direction->weights + static_cast<size_t>(place.block) * tile.hidden * GATES * BLOCK_UNITS +
                     place.lane * 4;
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
            for (int g = 0; g < GATES; ++g)
                sums[r][q][g] = V::SIGNED ? V::zero() : V::load(tile.direction->offsets + place.of_gate(g));
    }
    const uint8_t *h = tile.h;
    for (int k = 0; k < tile.hidden; k += 4, h += 4) {
#pragma GCC unroll 8
        for (int q = 0; q < Groups; ++q) {
            typename V::Bytes w[GATES];
#pragma GCC unroll 4
            for (int g = 0; g < GATES; ++g) w[g] = V::load_bytes(weights[q] + g * BLOCK_UNITS * 4);
            weights[q] += GATES * BLOCK_UNITS * 4;
#pragma GCC unroll 8
            for (int r = 0; r < Rows; ++r) {
                const typename V::States states = V::broadcast(h + r * apart);
#pragma GCC unroll 4
                for (int g = 0; g < GATES; ++g) sums[r][q][g] = V::dot(sums[r][q][g], states, w[g]);
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 8
        for (int q = 0; q < Groups; ++q)
#pragma GCC unroll 4
            for (int g = 0; g < GATES; ++g) to[r][q][g] = sums[r][q][g];
}

// One step of `Rows` rows and `Groups` vectors of units. At the first step all states are zero: no products.
template <class V, int Rows, int Groups, bool First>
void step(const Tile &tile) {
    typename V::Int sums[Rows][Groups][GATES];
    if (!First) products<V, Rows, Groups>(tile, sums);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 8
        for (int q = 0; q < Groups; ++q) {
            const Place<V> place(tile.group + q);
            // The table is far larger than the cache: what the next step looks up is fetched while this one computes.
            if (place.lane == 0) {
                __builtin_prefetch(tile.next[r] + place.of_gate(0));
                __builtin_prefetch(tile.next[r] + place.of_gate(2));
            }
            typename V::Float gates[GATES];
#pragma GCC unroll 4
            for (int g = 0; g < GATES; ++g) {
                gates[g] = V::load_half(tile.inputs[r] + place.of_gate(g));
                const typename V::Float scale = V::load(tile.direction->scales + place.of_gate(g));
                if (!First) gates[g] = V::fma(V::to_float(sums[r][q][g]), scale, gates[g]);
            }
            const size_t at = static_cast<size_t>(r) * tile.hidden + (tile.group + q) * V::LANES;
            typename V::Float cells = First ? V::set(0.0f) : V::load(tile.c + at), state;
            cell<V>(gates, cells, state);
            V::store(tile.c + at, cells);
            if (tile.ends) V::store(tile.last + at, state);
            V::store(tile.largest + at, First ? state : V::max(V::load(tile.largest + at), state));
            V::store(tile.sum + at, First ? state : V::add(V::load(tile.sum + at), state));
            V::store_states(tile.h_next + at, state);
        }
}

using Step = void (*)(const Tile &);

template <class V, int Rows, int Groups>
void choose(const Tile &tile, bool first) {
    first ? step<V, Rows, Groups, true>(tile) : step<V, Rows, Groups, false>(tile);
}

template <class V>
void run_tile(const Tile &tile, int rows, bool first) {
    switch (rows) {
        case 1: return choose<V, 1, 1>(tile, first);
        case 2: return choose<V, 2, 1>(tile, first);
        case 3: return choose<V, 3, 1>(tile, first);
        case 4: return choose<V, V::TILE < 4 ? 1 : 4, 1>(tile, first);
        case 5: return choose<V, V::TILE < 5 ? 1 : 5, 1>(tile, first);
        default: return choose<V, V::TILE < 6 ? 1 : 6, 1>(tile, first);
    }
}

// One time step of the first `active` rows.
template <class V>
void run_step(Tile tile, int active, bool first) {
    const Tile whole = tile;
    const int num_groups = tile.hidden / V::LANES;
    tile.group = 0;
    // A row alone: each product waits for the one that it is added to, and each step of a gate for the one before. Two
    // groups at once give the processor something to do meanwhile (a fifth faster; four are no better).
    if (active == 1)
        for (; tile.group + 2 <= num_groups; tile.group += 2) choose<V, 1, 2>(tile, first);
    for (; tile.group < num_groups; ++tile.group)
        for (int r = 0; r < active; r += V::TILE) {
            const size_t at = static_cast<size_t>(r) * tile.hidden;
            tile.inputs = whole.inputs + r;
            tile.next = whole.next + r;
            tile.h = whole.h + at;
            tile.h_next = whole.h_next + at;
            tile.c = whole.c + at;
            tile.largest = whole.largest + at;
            tile.sum = whole.sum + at;
            tile.last = whole.last + at;
            run_tile<V>(tile, active - r < V::TILE ? active - r : V::TILE, first);
        }
}

template <class V>
void run(const Direction &direction, int hidden, bool backward, const Rows &rows, const State &state) {
    const size_t per_token = static_cast<size_t>(GATES) * hidden;
    const auto input = [&](int row, int64_t t) {
        return direction.table + per_token * static_cast<size_t>(rows.ids[row][backward ? rows.lengths[row] - 1 - t : t]);
    };
    int active = rows.count;
    for (int64_t t = 0; t < rows.lengths[0]; ++t) {
        while (active > 0 && rows.lengths[active - 1] <= t) --active;
        const uint16_t *inputs[BLOCK_ROWS];
        const uint16_t *next[BLOCK_ROWS];
        for (int r = 0; r < active; ++r) {
            inputs[r] = input(r, t);
            next[r] = t + 1 < rows.lengths[r] ? input(r, t + 1) : inputs[r];
        }
        const bool ends = rows.lengths[active - 1] == t + 1;
        const Tile tile{&direction, hidden, 0, ends, inputs, next, state.h[t & 1], state.h[(t + 1) & 1],
                        state.c, state.largest, state.sum, state.last};
        run_step<V>(tile, active, t == 0);
    }
}

template <class V>
void sums(const Direction &direction, int hidden, const int8_t *states, int32_t *out) {
    alignas(64) uint8_t h[MAX_HIDDEN];
    for (int k = 0; k < hidden; ++k) h[k] = static_cast<uint8_t>(V::SIGNED ? states[k] : states[k] + H_ZERO);
    Tile tile{};
    tile.direction = &direction;
    tile.hidden = hidden;
    tile.h = h;
    for (tile.group = 0; tile.group < hidden / V::LANES; ++tile.group) {
        typename V::Int found[1][1][GATES];
        products<V, 1, 1>(tile, found);
        for (int g = 0; g < GATES; ++g)
            __builtin_memcpy(out + Place<V>(tile.group).of_gate(g), &found[0][0][g], sizeof found[0][0][g]);
    }
}

template <class V>
float dot(const float *a, const float *b, int n) {
    typename V::Float sum = V::set(0.0f);
    for (int j = 0; j < n; j += V::LANES) sum = V::fma(V::load(a + j), V::load(b + j), sum);
    float lanes[V::LANES], total = 0;
    V::store_anywhere(lanes, sum);
    for (const float lane : lanes) total += lane;
    return total;
}

}  // namespace
}  // namespace sluice
