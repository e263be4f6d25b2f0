// Gates of a pair of rows in 16-bit integers, 32 units in a vector, for AVX-512: sums in, states out. See fixed_kernel.h.
//
// Fixed-point numbers, as "name * 2^bits": x 12 (-8 to 8), sums of a gate 11 (-16 to 16), cells 11 (saturated at 16),
// states 12. Rounding them moves a gate by 3e-4.
#pragma once

#include <immintrin.h>

#include "gate_tables.h"
#include "lstm_kernel.h"

namespace sluice {
namespace {

constexpr int PAIR_UNITS = 2 * BLOCK_UNITS;  // of a vector of 16-bit integers: 16 units of two rows

using Words = __m512i;

// What is computed of some pairs of rows and a block of 16 units at one step.
struct PairTile {
    const Direction *direction;
    int hidden, depth, block;
    bool ends;                   // some row's text is over: its last state is wanted
    const Input *inputs, *next;  // of each row, this step's places in the table and the next step's; null above the first layer
    const uint8_t *bytes;        // [row][depth], what the products read
    const int16_t (*shares)[PAIR_UNITS];
    int16_t *c, *sum, *largest, *last, *h;
};

INLINE Words line(const Lines &lines, Words x) {
    const Words cell = _mm512_srli_epi16(x, 10);  // the permutation reads the lowest six bits
    const Words start = _mm512_permutex2var_epi16(_mm512_load_si512(lines.start), cell, _mm512_load_si512(lines.start + 32));
    const Words slope = _mm512_permutex2var_epi16(_mm512_load_si512(lines.slope), cell, _mm512_load_si512(lines.slope + 32));
    return _mm512_adds_epi16(start, _mm512_mulhrs_epi16(slope, x));
}

INLINE Words twice(Words x) { return _mm512_adds_epi16(x, x); }

// From two rows' integer sums and inputs to a gate.
INLINE Words gate(const PairTile &tile, int p, int g, const __m512i (&both_sums)[2][GATES], Words input) {
    const size_t at = static_cast<size_t>(tile.block) * GATES + g;
    const __m512i shifts = _mm512_load_si512(tile.direction->shifts + at * BLOCK_UNITS);
    const Words sums = _mm512_packs_epi32(_mm512_srav_epi32(both_sums[0][g], shifts), _mm512_srav_epi32(both_sums[1][g], shifts));
    const Words whole = _mm512_mulhrs_epi16(sums, _mm512_load_si512(tile.direction->factors + at * PAIR_UNITS));
    // Half of the sum until here, so that one of states made twice as large does not saturate.
    return _mm512_adds_epi16(input, twice(_mm512_mulhrs_epi16(whole, _mm512_load_si512(tile.shares[p]))));
}

// The looked-up inputs of a pair of rows. Each 128-bit lane of the table has four bytes of each gate; a step is the same
// for 16 units.
INLINE void look_up(const PairTile &tile, int p, Words (&inputs)[GATES]) {
    const Input &a = tile.inputs[2 * p], &b = tile.inputs[2 * p + 1];
    const size_t at = static_cast<size_t>(tile.block) * GATES;
    const Words a_bytes = _mm512_load_si512(a.values + at * BLOCK_UNITS), b_bytes = _mm512_load_si512(b.values + at * BLOCK_UNITS);
    uint32_t of_a, of_b;
    __builtin_memcpy(&of_a, a.steps + at, sizeof of_a);
    __builtin_memcpy(&of_b, b.steps + at, sizeof of_b);
    const Words steps = _mm512_set1_epi64(static_cast<long long>(static_cast<uint64_t>(of_b) << 32 | of_a));
    const Words low = _mm512_unpacklo_epi32(a_bytes, b_bytes), high = _mm512_unpackhi_epi32(a_bytes, b_bytes);
    const Words values[GATES] = {_mm512_unpacklo_epi8(low, low), _mm512_unpackhi_epi8(low, low),
                                 _mm512_unpacklo_epi8(high, high), _mm512_unpackhi_epi8(high, high)};
#pragma GCC unroll 4
    for (int g = 0; g < GATES; ++g) {
        // The lower byte of each word is its row's step, the upper is 0: one product of the two that `maddubs` adds.
        const long long from_a = 0x8000800080008000ll | 0x0001000100010001ll * g, from_b = from_a + 0x0004000400040004ll;
        const Words places = _mm512_set4_epi64(from_b, from_a, from_b, from_a);
        inputs[g] = _mm512_maddubs_epi16(_mm512_shuffle_epi8(steps, places), values[g]);
    }
}

// The cells of cells.h in these integers: gates in, the new state out; `c` is the cell before and after.
struct FixedLstm {
    static INLINE Words next(const Words (&gates)[GATES], Words &c) {
        const Words written = _mm512_mulhrs_epi16(line(gate_tables.sigmoid, twice(gates[0])), line(gate_tables.half_tanh, twice(gates[2])));
        const Words kept = twice(line(gate_tables.sigmoid, twice(gates[1])));
        const Words shown = twice(line(gate_tables.sigmoid, twice(gates[3])));
        c = _mm512_adds_epi16(_mm512_mulhrs_epi16(kept, c), written);
        return _mm512_mulhrs_epi16(shown, line(gate_tables.half_tanh, twice(twice(c))));
    }
};

// The "cell" is the state, times 2^14: what an update gate near 1 adds to it at each step is little.
struct FixedGru {
    static INLINE Words next(const Words (&gates)[GATES], Words &c) {
        const Words reset = twice(line(gate_tables.sigmoid, twice(gates[0])));
        const Words kept = twice(line(gate_tables.sigmoid, twice(gates[1])));
        const Words candidate = _mm512_adds_epi16(_mm512_mulhrs_epi16(reset, gates[2]), gates[3]);
        const Words n = _mm512_slli_epi16(line(gate_tables.half_tanh, twice(candidate)), 2);
        c = _mm512_adds_epi16(n, _mm512_mulhrs_epi16(kept, _mm512_subs_epi16(c, n)));
        return _mm512_mulhrs_epi16(c, _mm512_set1_epi16(1 << 13));
    }
};

// New states of a pair. At the first step of the lowest layer there are no sums, and nothing is there yet.
template <class Cell, bool First>
INLINE void pair_states(const PairTile &tile, int p, const __m512i (&sums)[2][GATES]) {
    Words gates[GATES];
    if (First || tile.inputs != nullptr) {
        const size_t place = static_cast<size_t>(tile.block) * GATES * BLOCK_UNITS;
        __builtin_prefetch(tile.next[2 * p].values + place);
        __builtin_prefetch(tile.next[2 * p + 1].values + place);
        look_up(tile, p, gates);
    } else {
        for (Words &each : gates) each = _mm512_setzero_si512();  // what a layer above adds is in its sums
    }
    if (!First) {
#pragma GCC unroll 4
        for (int g = 0; g < GATES; ++g) gates[g] = gate(tile, p, g, sums, gates[g]);
    }
    const size_t at = static_cast<size_t>(p) * 2 * tile.hidden + tile.block * PAIR_UNITS;
    Words c = First ? _mm512_setzero_si512() : _mm512_load_si512(tile.c + at);
    const Words h = Cell::next(gates, c);
    _mm512_store_si512(tile.c + at, c);
    Words largest = h, sum = h;
    if (!First) {
        largest = _mm512_max_epi16(largest, _mm512_load_si512(tile.largest + at));
        sum = _mm512_add_epi16(sum, _mm512_load_si512(tile.sum + at));
    }
    _mm512_store_si512(tile.largest + at, largest);
    _mm512_store_si512(tile.sum + at, sum);
    if (tile.ends) _mm512_store_si512(tile.last + at, h);
    _mm512_store_si512(tile.h + at, h);
}

}  // namespace
}  // namespace sluice
