// The fastest kernel for AVX-512 with VNNI: gates and cells are 16-bit integers, 32 units in a vector, and sigmoid and
// tanh are looked up by permutation. On AMD's Zen 4 the products of lstm_kernel.h take as long as can be (one `vpdpbusd`
// of 512 bits a cycle) and its float32 gates two thirds of that again; these take far less.
//
// Fixed-point numbers, as "name * 2^bits": x 12 (-8 to 8), sums of a gate 11 (-16 to 16), cells 11 (saturated at 16),
// states 12. Rounding them moves a gate by 3e-4. Rounding the states to 8 bits for the products moves it by up to 5e-3, so
// each row's are first multiplied, at every step, such that the largest of them is 127, or by 2: half of the error's
// square on average.
#include "model.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)

#include <immintrin.h>

#include "attention_kernel.h"
#include "gate_tables.h"
#include "vectors_avx512.h"

namespace sluice {
namespace {

constexpr int PAIR_UNITS = 2 * BLOCK_UNITS;  // of a vector of 16-bit integers: 16 units of two rows
constexpr int TILE_PAIRS = 3;                // 24 sums of 32 registers
constexpr int AHEAD = 1024;                  // bytes
constexpr int SUM_STEPS = 7;                 // states of at most 2^12 whose sum fits 16 bits
constexpr float STATE_UNIT = 1.0f / (1 << 12);
constexpr int STATE_FACTOR = 1016;  // 127 * 8: from 2^12 to 127, with the 2^15 of the multiplication
constexpr int LEAST_STATE = 2048;   // that is made 127: with smaller ones sums of a gate beyond 8 would not fit

using Words = __m512i;

// `vpackssdw` lays four lanes of one vector beside four of another, in turns. So the words of a pair of rows lie as four
// units of the first, the same four of the second, the next four of the first and so on; all arrays of pairs do.
struct Pairs {
    int16_t *c, *sum, *largest, *last, *h;  // [pair][H / 16][32]
    float *long_sum;
    uint8_t *bytes;  // as the words, but bytes
    alignas(64) int16_t shares[BLOCK_ROWS / 2][PAIR_UNITS];  // of the largest state, over 2^15: what the sums are multiplied by
};

struct PairTile {
    const Direction *direction;
    int hidden, block;
    bool ends;                      // some row's text is over: its last state is wanted
    const Input *inputs, *next;     // of each row, this step's places in the table and the next step's
    const uint8_t *bytes;
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

// Integer sums [Count][2][4] of the recurrent products. A function of its own, which leaves them in memory: inlined, GCC
// keeps them there all the time.
//
// A row alone has itself for the second of its pair; then the weights come from the second cache, one after another, and
// are asked for early.
template <int Count, bool Alone>
__attribute__((noinline)) void pair_products(const PairTile &tile, __m512i (&to)[Count][2][GATES]) {
    __m512i sums[Count][2][GATES];
    const size_t block = static_cast<size_t>(tile.block), apart = static_cast<size_t>(tile.hidden) * 2;
    const int32_t *offsets = tile.direction->offsets + block * GATES * BLOCK_UNITS;
#pragma GCC unroll 3
    for (int p = 0; p < Count; ++p)
#pragma GCC unroll 4
        for (int g = 0; g < GATES; ++g) sums[p][0][g] = sums[p][1][g] = _mm512_load_si512(offsets + g * BLOCK_UNITS);
    const int8_t *w = tile.direction->weights + block * tile.hidden * GATES * BLOCK_UNITS;
    const uint8_t *h = tile.bytes;
    for (int k = 0; k < tile.hidden; k += 4, h += 8, w += GATES * BLOCK_UNITS * 4) {
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
                const __m512i states = Avx512::load_states(h + p * apart + r * 4);
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

// From two rows' integer sums and looked-up inputs to x of a gate.
INLINE Words gate(const PairTile &tile, int p, int g, const __m512i (&both_sums)[2][GATES], Words input, bool first) {
    if (first) return twice(input);
    const size_t at = static_cast<size_t>(tile.block) * GATES + g;
    const __m512i shifts = _mm512_load_si512(tile.direction->shifts + at * BLOCK_UNITS);
    const Words sums = _mm512_packs_epi32(_mm512_srav_epi32(both_sums[0][g], shifts), _mm512_srav_epi32(both_sums[1][g], shifts));
    const Words whole = _mm512_mulhrs_epi16(sums, _mm512_load_si512(tile.direction->factors + at * PAIR_UNITS));
    // Half of the sum until here, so that one of states made twice as large does not saturate.
    return twice(_mm512_adds_epi16(input, twice(_mm512_mulhrs_epi16(whole, _mm512_load_si512(tile.shares[p])))));
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

template <int Count, bool First, bool Alone = false>
INLINE void pair_step(const PairTile &tile) {
    __m512i sums[Count][2][GATES];
    if (!First) pair_products<Count, Alone>(tile, sums);
    const size_t place = static_cast<size_t>(tile.block) * GATES * BLOCK_UNITS;
#pragma GCC unroll 3
    for (int p = 0; p < Count; ++p) {
        __builtin_prefetch(tile.next[2 * p].values + place);
        __builtin_prefetch(tile.next[2 * p + 1].values + place);
        Words x[GATES];
        look_up(tile, p, x);
#pragma GCC unroll 4
        for (int g = 0; g < GATES; ++g) x[g] = gate(tile, p, g, sums[p], x[g], First);
        const size_t at = static_cast<size_t>(p) * 2 * tile.hidden + tile.block * PAIR_UNITS;
        const Words written = _mm512_mulhrs_epi16(line(gate_tables.sigmoid, x[0]), line(gate_tables.half_tanh, x[2]));
        const Words kept = twice(line(gate_tables.sigmoid, x[1]));
        const Words shown = twice(line(gate_tables.sigmoid, x[3]));
        Words c = written;
        if (!First) c = _mm512_adds_epi16(_mm512_mulhrs_epi16(kept, _mm512_load_si512(tile.c + at)), written);
        _mm512_store_si512(tile.c + at, c);
        const Words h = _mm512_mulhrs_epi16(shown, line(gate_tables.half_tanh, twice(twice(c))));
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
}

template <bool First>
void run_pairs(const PairTile &tile, int pairs, bool alone) {
    if (alone) return pair_step<1, First, true>(tile);
    if (pairs >= TILE_PAIRS) return pair_step<TILE_PAIRS, First>(tile);
    pairs == 2 ? pair_step<2, First>(tile) : pair_step<1, First>(tile);
}

// Largest magnitude of the states of either row of a pair.
INLINE void largest_states(const int16_t *h, int hidden, int (&largest)[2]) {
    Words all = _mm512_setzero_si512();
    for (int n = 0; n < 2 * hidden; n += PAIR_UNITS) all = _mm512_max_epi16(all, _mm512_abs_epi16(_mm512_load_si512(h + n)));
    const __m256i half = _mm256_max_epi16(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    __m128i lane = _mm_max_epi16(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    lane = _mm_max_epi16(lane, _mm_srli_epi64(lane, 32));
    lane = _mm_max_epi16(lane, _mm_srli_epi64(lane, 16));
    largest[0] = _mm_extract_epi16(lane, 0);
    largest[1] = _mm_extract_epi16(lane, 4);
}

// Rounds the states of a pair to bytes, as large as can be, and notes by what the next sums are too large.
INLINE void round_states(Pairs &pairs, int pair, int hidden) {
    const size_t begin = static_cast<size_t>(pair) * 2 * hidden;
    int largest[2];
    long long factors[2], shares[2];
    largest_states(pairs.h + begin, hidden, largest);
    for (int r = 0; r < 2; ++r) {
        const int most = largest[r] > LEAST_STATE ? largest[r] : LEAST_STATE, factor = (STATE_FACTOR << 12) / most;
        const int share = (STATE_FACTOR << 15) / factor;
        factors[r] = 0x0001000100010001ll * factor;
        shares[r] = 0x0001000100010001ll * (share > INT16_MAX ? INT16_MAX : share);
    }
    const Words by = _mm512_set4_epi64(factors[1], factors[0], factors[1], factors[0]);
    _mm512_store_si512(pairs.shares[pair], _mm512_set4_epi64(shares[1], shares[0], shares[1], shares[0]));
    for (size_t n = begin; n < begin + 2 * hidden; n += PAIR_UNITS) {
        const Words whole = _mm512_mulhrs_epi16(_mm512_load_si512(pairs.h + n), by);
        const __m256i bytes = _mm512_cvtepi16_epi8(_mm512_add_epi16(whole, _mm512_set1_epi16(H_ZERO)));
        _mm256_store_si256(reinterpret_cast<__m256i *>(pairs.bytes + n), bytes);
    }
}

// Adds the short sums to the long ones and begins them again.
void flush(const Pairs &pairs, size_t size, bool first) {
    for (size_t n = 0; n < size; n += 16) {
        const __m512i wide = _mm512_cvtepi16_epi32(_mm256_load_si256(reinterpret_cast<__m256i *>(pairs.sum + n)));
        const __m512 sum = _mm512_cvtepi32_ps(wide);
        _mm512_store_ps(pairs.long_sum + n, first ? sum : _mm512_add_ps(sum, _mm512_load_ps(pairs.long_sum + n)));
        _mm256_store_si256(reinterpret_cast<__m256i *>(pairs.sum + n), _mm256_setzero_si256());
    }
}

INLINE __m512 floats_of_row(const int16_t *words, __mmask8 row) {
    const __m512i both = _mm512_load_si512(words);
    const __m256i of_row = _mm512_castsi512_si256(_mm512_maskz_compress_epi64(row, both));
    return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(of_row)), _mm512_set1_ps(STATE_UNIT));
}

// Takes the pooled states of a row out of its pair's words. The row may go on being computed: nobody looks any more.
void finish(const Pairs &pairs, int hidden, int row, bool flushed, const State &state) {
    const __mmask8 odd = row % 2 ? 0xAA : 0x55;  // quarters of a vector's 128-bit lanes, two a lane
    const __mmask16 odd_floats = row % 2 ? 0xF0F0 : 0x0F0F;
    for (int block = 0; block < hidden / BLOCK_UNITS; ++block) {
        const size_t from = static_cast<size_t>(row / 2) * 2 * hidden + block * PAIR_UNITS;
        const size_t to = static_cast<size_t>(row) * hidden + block * BLOCK_UNITS;
        _mm512_store_ps(state.largest + to, floats_of_row(pairs.largest + from, odd));
        _mm512_store_ps(state.last + to, floats_of_row(pairs.last + from, odd));
        __m512 sum = floats_of_row(pairs.sum + from, odd);
        if (flushed) {
            const __m256 low = _mm512_castps512_ps256(
                _mm512_maskz_compress_ps(odd_floats, _mm512_load_ps(pairs.long_sum + from)));
            const __m256 high = _mm512_castps512_ps256(
                _mm512_maskz_compress_ps(odd_floats, _mm512_load_ps(pairs.long_sum + from + 16)));
            sum = _mm512_fmadd_ps(_mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1), _mm512_set1_ps(STATE_UNIT), sum);
        }
        _mm512_store_ps(state.sum + to, sum);
    }
}

void run_fixed(const Pass &pass, const Rows &rows, const State &state) {
    const Direction &direction = *pass.direction;
    const int hidden = pass.hidden;
    const int num_pairs = (rows.count + 1) / 2;
    const size_t size = static_cast<size_t>(num_pairs) * 2 * hidden;
    int16_t *words = reinterpret_cast<int16_t *>(state.c);
    Pairs pairs{words, words + size, state.words, state.words + size, state.words + 2 * size, state.long_sum, state.h[0], {}};
    const auto input = [&](int row, int64_t t) {
        return input_of(direction, rows.ids[row][place_of(pass, rows, row, t)], hidden);
    };
    int active = rows.count;
    while (active > 0 && rows.lengths[active - 1] == 0) --active;
    for (int64_t t = 0; active > 0; ++t) {
        Input inputs[BLOCK_ROWS + 1], next[BLOCK_ROWS + 1];
        for (int r = 0; r < active; ++r) {
            inputs[r] = input(r, t);
            next[r] = t + 1 < rows.lengths[r] ? input(r, t + 1) : inputs[r];
            __builtin_prefetch(next[r].steps);
        }
        inputs[active] = next[active] = inputs[active - 1];  // of the second row of the last pair, if there is none
        const bool ends = rows.lengths[active - 1] == t + 1;
        for (int block = 0; block < hidden / BLOCK_UNITS; ++block)
            for (int r = 0; r < active; r += 2 * TILE_PAIRS) {
                const size_t at = static_cast<size_t>(r) * hidden;
                const PairTile tile{&direction, hidden, block, ends, inputs + r, next + r, pairs.bytes + at, pairs.shares + r / 2,
                                    pairs.c + at, pairs.sum + at, pairs.largest + at, pairs.last + at, pairs.h + at};
                const int left = (active - r + 1) / 2;
                t == 0 ? run_pairs<true>(tile, left, active == 1) : run_pairs<false>(tile, left, active == 1);
            }
        for (int pair = 0; 2 * pair < active; ++pair) round_states(pairs, pair, hidden);
        for (; active > 0 && rows.lengths[active - 1] == t + 1; --active)
            finish(pairs, hidden, active - 1, t >= SUM_STEPS, state);
        if (t % SUM_STEPS == SUM_STEPS - 1) flush(pairs, size, t < SUM_STEPS);
    }
}

void fixed_sums(const Direction &direction, int hidden, const int8_t *states, int32_t *out) {
    alignas(64) uint8_t h[2 * MAX_HIDDEN];
    for (int k = 0; k < hidden; ++k)
        h[k / 4 * 8 + k % 4] = h[k / 4 * 8 + k % 4 + 4] = static_cast<uint8_t>(states[k] + H_ZERO);
    PairTile tile{};
    tile.direction = &direction;
    tile.hidden = hidden;
    tile.bytes = h;
    for (tile.block = 0; tile.block < hidden / BLOCK_UNITS; ++tile.block) {
        __m512i found[1][2][GATES];
        pair_products<1, false>(tile, found);
        for (int g = 0; g < GATES; ++g) {
            const size_t at = (static_cast<size_t>(tile.block) * GATES + g) * BLOCK_UNITS;
            // Without what the offset has for rounding: half of what the shift drops.
            const __m512i ones = _mm512_sllv_epi32(_mm512_set1_epi32(1), _mm512_load_si512(direction.shifts + at));
            _mm512_storeu_si512(out + at, _mm512_sub_epi32(found[0][1][g], _mm512_srli_epi32(ones, 1)));
        }
    }
}

}  // namespace

const Kernel avx512_fixed_kernel{"avx512-fixed", Avx512::supported, run_fixed, attend<Avx512>, fixed_sums, dot<Avx512>};

}  // namespace sluice

#else  // another processor, or a compiler without the instruction set

namespace sluice {
const Kernel avx512_fixed_kernel{"avx512-fixed", nullptr, nullptr, nullptr, nullptr, nullptr};
}

#endif
