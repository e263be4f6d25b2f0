// The fastest kernel for AVX-512: gates and cells are 16-bit integers, 32 units in a vector, and sigmoid and tanh are looked
// up by permutation. On AMD's Zen 4 the products of lstm_kernel.h take as long as can be (one `vpdpbusd` of 512 bits a
// cycle) and its float32 gates two thirds of that again; these take far less. `P` computes the products: fixed_products.h.
//
// Rounding the states to 8 bits for the products moves a gate by up to 5e-3, so each row's are first multiplied, at every
// step, such that the largest of them is 127, or by 2: half of the error's square on average. Above the first layer the
// states of the layer below, whose scale is fixed, stand beside them, so that theirs is too.
#pragma once

#include "fixed_gates.h"

namespace sluice {
namespace {

constexpr int SUM_STEPS = 7;         // states of at most 2^12 whose sum fits 16 bits
constexpr int STATE_ONE = 1 << 12;
constexpr float STATE_UNIT = 1.0f / STATE_ONE;
constexpr int STATE_FACTOR = 1016;   // 127 * 8: from 2^12 to 127, with the 2^15 of the multiplication
constexpr int LEAST_STATE = 2048;    // that is made 127: with smaller ones sums of a gate beyond 8 would not fit

// `vpackssdw` lays four lanes of one vector beside four of another, in turns. So the words of a pair of rows lie as four
// units of the first, the same four of the second, the next four of the first and so on; all arrays of pairs do.
struct Pairs {
    int16_t *c, *sum, *largest, *last, *h;  // [pair][H / 16][32]
    float *long_sum;
    uint8_t *bytes;  // [row][D]
    alignas(64) int16_t shares[BLOCK_ROWS / 2][PAIR_UNITS];  // of the largest state, over 2^15: what the sums are multiplied by
};

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

// Stores the 16 units of each row of a pair, of -127 to 127, as bytes.
INLINE void store_bytes(Words whole, uint8_t *first, uint8_t *second) {
    const __m256i bytes = _mm512_cvtepi16_epi8(_mm512_add_epi16(whole, _mm512_set1_epi16(H_ZERO)));
    const __m256i rows = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(second), _mm256_extracti128_si256(rows, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(first), _mm256_castsi256_si128(rows));
}

// Rounds the states of a pair to bytes, as large as can be, and notes by what the next sums are too large.
INLINE void round_states(Pairs &pairs, int pair, const Pass &pass) {
    const size_t begin = static_cast<size_t>(pair) * 2 * pass.hidden, depth = static_cast<size_t>(pass.depth());
    int largest[2] = {STATE_ONE, STATE_ONE};
    long long factors[2], shares[2];
    if (pass.below == nullptr) largest_states(pairs.h + begin, pass.hidden, largest);
    for (int r = 0; r < 2; ++r) {
        const int most = largest[r] > LEAST_STATE ? largest[r] : LEAST_STATE, factor = (STATE_FACTOR << 12) / most;
        const int share = (STATE_FACTOR << 15) / factor;
        factors[r] = 0x0001000100010001ll * factor;
        shares[r] = 0x0001000100010001ll * (share > INT16_MAX ? INT16_MAX : share);
    }
    const Words by = _mm512_set4_epi64(factors[1], factors[0], factors[1], factors[0]);
    _mm512_store_si512(pairs.shares[pair], _mm512_set4_epi64(shares[1], shares[0], shares[1], shares[0]));
    uint8_t *to = pairs.bytes + 2 * pair * depth;
    for (int n = 0; n < 2 * pass.hidden; n += PAIR_UNITS, to += BLOCK_UNITS)
        store_bytes(_mm512_mulhrs_epi16(_mm512_load_si512(pairs.h + begin + n), by), to, to + depth);
}

// Hands the states of a pair on to the next layer or to attention, by their fixed scale. Where there is no second row,
// `second` is `first`, which is written last.
INLINE void hand_on(const Pairs &pairs, int pair, int hidden, uint8_t *first, uint8_t *second) {
    const int16_t *h = pairs.h + static_cast<size_t>(pair) * 2 * hidden;
    for (int n = 0; n < 2 * hidden; n += PAIR_UNITS, first += BLOCK_UNITS, second += BLOCK_UNITS)
        store_bytes(_mm512_mulhrs_epi16(_mm512_load_si512(h + n), _mm512_set1_epi16(STATE_FACTOR)), first, second);
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

// What a layer above the first begins with, as if a step before had left it: its products are computed at the first step too.
void clear(Pairs &pairs, size_t size, size_t num_bytes) {
    __builtin_memset(pairs.bytes, H_ZERO, num_bytes);
    for (auto &shares : pairs.shares)
        for (int16_t &share : shares) share = INT16_MAX;
    for (size_t n = 0; n < size; ++n) {
        pairs.c[n] = pairs.sum[n] = 0;
        pairs.largest[n] = -STATE_ONE;
    }
}

template <class P, class Cell>
void run_steps(const Pass &pass, const Rows &rows, const State &state) {
    const int hidden = pass.hidden, depth = pass.depth(), num_pairs = (rows.count + 1) / 2;
    const bool looked_up = pass.below == nullptr;
    const size_t size = static_cast<size_t>(num_pairs) * 2 * hidden;
    int16_t *words = reinterpret_cast<int16_t *>(state.c);
    Pairs pairs{words, words + size, state.words, state.words + size, state.words + 2 * size, state.long_sum, state.h[0], {}};
    if (!looked_up) clear(pairs, size, static_cast<size_t>(num_pairs) * 2 * depth);
    const auto token = [&](int row, int64_t t) {  // where states that layers hand on begin
        return static_cast<size_t>(rows.firsts[row] + place_of(pass, rows, row, t)) * pass.width;
    };
    int active = rows.count;
    while (active > 0 && rows.lengths[active - 1] == 0) --active;
    for (int64_t t = 0; active > 0; ++t) {
        Input inputs[BLOCK_ROWS + 1], next[BLOCK_ROWS + 1];
        for (int r = 0; r < active; ++r)
            if (looked_up) {
                inputs[r] = step_input(pass, rows, r, t);
                next[r] = t + 1 < rows.lengths[r] ? step_input(pass, rows, r, t + 1) : inputs[r];
                __builtin_prefetch(next[r].steps);
            } else {
                __builtin_memcpy(pairs.bytes + static_cast<size_t>(r) * depth + hidden, pass.below + token(r, t), pass.width);
            }
        if (looked_up) inputs[active] = next[active] = inputs[active - 1];  // of the second row of the last pair, if there is none
        const bool ends = rows.lengths[active - 1] == t + 1;
        for (int block = 0; block < hidden / BLOCK_UNITS; ++block)
            for (int r = 0; r < active; r += 2 * P::PAIRS) {
                const size_t at = static_cast<size_t>(r) * hidden;
                const PairTile tile{pass.direction, hidden, depth, block, ends, looked_up ? inputs + r : nullptr, next + r,
                                    pairs.bytes + static_cast<size_t>(r) * depth, pairs.shares + r / 2,
                                    pairs.c + at, pairs.sum + at, pairs.largest + at, pairs.last + at, pairs.h + at};
                const int left = (active - r + 1) / 2;
                t == 0 && looked_up ? P::template step<Cell, true>(tile, left, active == 1)
                                    : P::template step<Cell, false>(tile, left, active == 1);
            }
        for (int r = 0; r < active; r += 2) {
            round_states(pairs, r / 2, pass);
            if (pass.above == nullptr) continue;
            hand_on(pairs, r / 2, hidden, pass.above + token(r, t), pass.above + token(r + 1 < active ? r + 1 : r, t));
        }
        for (; active > 0 && rows.lengths[active - 1] == t + 1; --active)
            finish(pairs, hidden, active - 1, t >= SUM_STEPS, state);
        if (t % SUM_STEPS == SUM_STEPS - 1) flush(pairs, size, t < SUM_STEPS);
    }
}

template <class P>
void run_fixed(const Pass &pass, const Rows &rows, const State &state) {
    P::begin(pass.depth());
    pass.gru ? run_steps<P, FixedGru>(pass, rows, state) : run_steps<P, FixedLstm>(pass, rows, state);
    P::end();
}

template <class P>
void fixed_sums(const Direction &direction, int hidden, const int8_t *states, int32_t *out) {
    alignas(64) uint8_t h[2 * P::PAIRS * MAX_HIDDEN] = {};
    for (int k = 0; k < hidden; ++k) h[k] = static_cast<uint8_t>(states[k] + H_ZERO);
    PairTile tile{};
    tile.direction = &direction;
    tile.hidden = tile.depth = hidden;
    tile.bytes = h;
    P::begin(hidden);
    for (tile.block = 0; tile.block < hidden / BLOCK_UNITS; ++tile.block) {
        __m512i found[GATES];
        P::row_sums(tile, found);
        for (int g = 0; g < GATES; ++g) {
            const size_t at = (static_cast<size_t>(tile.block) * GATES + g) * BLOCK_UNITS;
            // Without what the offset has for rounding: half of what the shift drops.
            const __m512i ones = _mm512_sllv_epi32(_mm512_set1_epi32(1), _mm512_load_si512(direction.shifts + at));
            _mm512_storeu_si512(out + at, _mm512_sub_epi32(found[g], _mm512_srli_epi32(ones, 1)));
        }
    }
    P::end();
}

}  // namespace
}  // namespace sluice
