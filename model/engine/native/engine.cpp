// One recurrent layer of LSTM over many texts, from token ids to pooled states; see model/engine/cpu.py for the layouts.
//
// Sixteen units of a row fill a vector. A tile of six rows and one block of sixteen units keeps its 24 sums (six rows,
// four gates) in registers while the weights of the block go by; the products are of 8-bit integers (AVX512-VNNI,
// `vpdpbusd`: four products and a sum in each of 16 lanes), everything else is float32. The input's part of the gates is
// not computed at all: it is looked up in a table with a row for each token of the vocabulary, in half precision.
//
// Equations: Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000, as in model/cell.py.

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#define WIDE __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")))
#define INLINE WIDE inline __attribute__((always_inline))

namespace {

constexpr int LANES = 16;       // float32 numbers of a vector
constexpr int GATES = 4;        // input, forget, cell, output
constexpr int TILE = 6;         // rows whose sums stay in registers: 6 * 4 of 32, with 4 for weights
constexpr int BLOCK = 24;       // rows that go through all time steps together
constexpr float H_SCALE = 127;  // of a hidden state, -1 to 1, as an integer
constexpr int H_ZERO = 128;     // that stands for 0: the instruction wants one factor without a sign
constexpr float LIMIT = 29;     // of a power: 1 / (1 + 2^29) is 0 to a gate; keeps a product of three finite
constexpr float LOG2_E = 1.44269504f;

constexpr int POOLS = 3;        // largest, mean and last state
constexpr uint64_t MULTIPLIER = 0x9E3779B97F4A7C15ull;  // of model/ngrams.py
constexpr int HASH_SHIFT = 20;

struct Direction {
    const uint16_t *table;   // [vocabulary][H / 16][4][16] half precision: weights times embedding, plus bias, as in `cell`
    const int8_t *weights;   // [H / 16][H / 4][4][16][4]
    const int32_t *offsets;  // [H / 16][4][16] what the sums begin with: takes H_ZERO out again
    const float *scales;     // [H / 16][4][16] from integer sums to gates
};

struct State {  // of a block of rows, [row][H]
    std::vector<uint8_t> h[2];
    std::vector<float> c, largest, sum, last;
};

// 2^y to 1e-5 relative: 2^floor(y) * 2^f with f in [0, 1) and a polynomial for 2^f.
// Coefficients: 1 + f + f (1 - f) q(f), exact at both ends, q of degree 2 fitted by least squares at 400 Chebyshev nodes.
INLINE __m512 power_of_two(__m512 y) {
    const __m512 f = _mm512_reduce_ps(y, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    __m512 p = _mm512_set1_ps(1.37113518e-2f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.19001400e-2f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.41298965e-1f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.93089543e-1f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, y);
}

// 1 / x to 1e-8 relative: an estimate of 14 bits and one step of Newton.
INLINE __m512 reciprocal(__m512 x) {
    const __m512 r = _mm512_rcp14_ps(x);
    return _mm512_mul_ps(r, _mm512_fnmadd_ps(x, r, _mm512_set1_ps(2.0f)));
}

// New cell and hidden state of 16 units. The gates come as -log2(e) x, that of the cell as twice as much, so that with
// E_x = e^-x = 2^gate: sigmoid(x) = 1 / (1 + E_x), tanh(x) = (1 - E_2x) / (1 + E_2x). All over common denominators: five
// powers and two reciprocals.
INLINE void cell(const __m512 gates[GATES], __m512 &c, __m512 &h) {
    const __m512 one = _mm512_set1_ps(1.0f), limit = _mm512_set1_ps(LIMIT);
    const __m512 e_i = power_of_two(_mm512_min_ps(gates[0], limit));
    const __m512 e_f = power_of_two(_mm512_min_ps(gates[1], limit));
    const __m512 e_g = power_of_two(_mm512_min_ps(gates[2], limit));
    const __m512 e_o = power_of_two(_mm512_min_ps(gates[3], limit));
    const __m512 not_f = _mm512_add_ps(one, e_f);
    const __m512 not_ig = _mm512_mul_ps(_mm512_add_ps(one, e_i), _mm512_add_ps(one, e_g));
    const __m512 above = _mm512_fmadd_ps(c, not_ig, _mm512_mul_ps(_mm512_sub_ps(one, e_g), not_f));
    c = _mm512_mul_ps(above, reciprocal(_mm512_mul_ps(not_ig, not_f)));
    const __m512 e_c = power_of_two(_mm512_min_ps(_mm512_mul_ps(c, _mm512_set1_ps(-2 * LOG2_E)), limit));
    const __m512 below = _mm512_mul_ps(_mm512_add_ps(one, e_o), _mm512_add_ps(one, e_c));
    h = _mm512_mul_ps(_mm512_sub_ps(one, e_c), reciprocal(below));
}

// One step of `Rows` rows and `Blocks` blocks of 16 units from `block` on; `inputs` are the rows' places in the table.
template <int Rows, int Blocks>
WIDE void step(const Direction &direction, int hidden, int block, bool first, const uint16_t *const *inputs,
               const uint16_t *const *next, const uint8_t *h, uint8_t *h_next, float *c, float *largest, float *sum, float *last) {
    constexpr int Sums = Blocks * GATES;  // of a row
    __m512i sums[Rows][Sums];
    const int32_t *offsets = direction.offsets + block * GATES * LANES;
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 16
        for (int g = 0; g < Sums; ++g)
            sums[r][g] = first ? _mm512_setzero_si512() : _mm512_load_si512(offsets + g * LANES);
    if (!first) {
        const size_t apart = static_cast<size_t>(hidden) * GATES * LANES;  // the weights of two blocks
        const int8_t *w = direction.weights + block * apart;
        for (int k = 0; k < hidden; k += 4, w += GATES * LANES * 4) {
            __m512i weights[Sums];
#pragma GCC unroll 16
            for (int g = 0; g < Sums; ++g) weights[g] = _mm512_load_si512(w + g / GATES * apart + g % GATES * LANES * 4);
#pragma GCC unroll 6
            for (int r = 0; r < Rows; ++r) {
                int32_t four;
                std::memcpy(&four, h + static_cast<size_t>(r) * hidden + k, sizeof four);
                const __m512i states = _mm512_set1_epi32(four);
#pragma GCC unroll 16
                for (int g = 0; g < Sums; ++g) sums[r][g] = _mm512_dpbusd_epi32(sums[r][g], states, weights[g]);
            }
        }
    }
    const float *scales = direction.scales + block * GATES * LANES;
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int b = 0; b < Blocks; ++b) {
            // The table is far larger than the cache: what the next step looks up is fetched while this one computes.
            const size_t place = static_cast<size_t>(block + b) * GATES * LANES;
            const char *fetched = reinterpret_cast<const char *>(next[r] + place);
            _mm_prefetch(fetched, _MM_HINT_T0);
            _mm_prefetch(fetched + 64, _MM_HINT_T0);
            __m512 gates[GATES];
#pragma GCC unroll 4
            for (int g = 0; g < GATES; ++g) {
                const void *half = inputs[r] + place + g * LANES;
                const __m512 input = _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i *>(half)));
                const __m512 scale = _mm512_load_ps(scales + (b * GATES + g) * LANES);
                gates[g] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[r][b * GATES + g]), scale, input);
            }
            const size_t at = static_cast<size_t>(r) * hidden + (block + b) * LANES;
            __m512 cells = _mm512_loadu_ps(c + at), state;
            cell(gates, cells, state);
            _mm512_storeu_ps(c + at, cells);
            _mm512_storeu_ps(last + at, state);
            _mm512_storeu_ps(largest + at, _mm512_max_ps(_mm512_loadu_ps(largest + at), state));
            _mm512_storeu_ps(sum + at, _mm512_add_ps(_mm512_loadu_ps(sum + at), state));
            const __m512 shifted = _mm512_fmadd_ps(state, _mm512_set1_ps(H_SCALE), _mm512_set1_ps(H_ZERO));
            _mm_storeu_si128(reinterpret_cast<__m128i *>(h_next + at), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(shifted)));
        }
}

using Step = void (*)(const Direction &, int, int, bool, const uint16_t *const *, const uint16_t *const *, const uint8_t *, uint8_t *, float *,
                      float *, float *, float *);
constexpr Step STEPS[TILE + 1] = {nullptr, step<1, 1>, step<2, 1>, step<3, 1>, step<4, 1>, step<5, 1>, step<6, 1>};

// A row alone: each product waits for the one that it is added to, and each step of a gate for the one before. Two blocks
// at once give the processor something to do meanwhile (a fifth faster; four blocks are no better).
constexpr int LONE_BLOCKS = 2;
constexpr Step LONE_STEP = step<1, LONE_BLOCKS>;

// All time steps of up to BLOCK rows, longest first, in one direction; leaves the pooled states in `state`.
WIDE void run_block(const Direction &direction, int hidden, bool backward, const int32_t *const *ids,
                    const int64_t *lengths, int rows, State &state) {
    const size_t size = static_cast<size_t>(rows) * hidden, per_token = static_cast<size_t>(GATES) * hidden;
    state.c.assign(size, 0.0f);
    state.sum.assign(size, 0.0f);
    state.last.assign(size, 0.0f);
    state.largest.assign(size, -2.0f);  // below every state
    for (auto &h : state.h) h.resize(size);
    const auto input = [&](int row, int64_t t) {
        return direction.table + per_token * static_cast<size_t>(ids[row][backward ? lengths[row] - 1 - t : t]);
    };
    int active = rows;
    for (int64_t t = 0; t < lengths[0]; ++t) {
        while (active > 0 && lengths[active - 1] <= t) --active;
        const uint16_t *inputs[BLOCK];
        const uint16_t *next[BLOCK];
        for (int r = 0; r < active; ++r) {
            inputs[r] = input(r, t);
            next[r] = t + 1 < lengths[r] ? input(r, t + 1) : inputs[r];
        }
        const uint8_t *h = state.h[t & 1].data();
        uint8_t *h_next = state.h[(t + 1) & 1].data();
        const int num_blocks = hidden / LANES;
        int block = 0;
        const auto run = [&](Step step, int r) {
            const size_t at = static_cast<size_t>(r) * hidden;
            step(direction, hidden, block, t == 0, inputs + r, next + r, h + at, h_next + at, state.c.data() + at,
                 state.largest.data() + at, state.sum.data() + at, state.last.data() + at);
        };
        if (active == 1)
            for (; block + LONE_BLOCKS <= num_blocks; block += LONE_BLOCKS) run(LONE_STEP, 0);
        for (; block < num_blocks; ++block)
            for (int r = 0; r < active; r += TILE) run(STEPS[std::min(TILE, active - r)], r);
    }
}

// Scalar product; n is a multiple of 16.
INLINE float dot(const float *a, const float *b, int n) {
    __m512 sum = _mm512_setzero_ps();
    for (int j = 0; j < n; j += LANES) sum = _mm512_fmadd_ps(_mm512_loadu_ps(a + j), _mm512_loadu_ps(b + j), sum);
    return _mm512_reduce_add_ps(sum);
}

}  // namespace

extern "C" {

struct Model {  // as model/engine/cpu.py fills it; of two directions the forward one is first
    int32_t directions, hidden, labels, num_pools, ngram_order;
    int32_t pools[POOLS];  // which of largest (0), mean (1) and last (2), in the order of the head
    int64_t buckets;       // 0: no n-grams
    Direction layers[2];
    const float *head;    // [labels][num_pools][directions][H]
    const float *bias;    // [labels]
    const float *ngrams;  // [buckets][labels]
};
}

namespace {

// Adds to `logits` [labels] of one text what its block's pooled states of one direction give.
WIDE void add_head(const Model &model, int direction, const State &state, size_t at, int64_t length, float *logits) {
    if (length == 0) return;
    const int hidden = model.hidden;
    const float *pooled[POOLS] = {state.largest.data() + at, state.sum.data() + at, state.last.data() + at};
    for (int label = 0; label < model.labels; ++label)
        for (int p = 0; p < model.num_pools; ++p) {
            const int row = (label * model.num_pools + p) * model.directions + direction;
            const float product = dot(pooled[model.pools[p]], model.head + static_cast<size_t>(row) * hidden, hidden);
            logits[label] += model.pools[p] == 1 ? product / static_cast<float>(length) : product;
        }
}

// Adds to `logits` [labels] of one text the table's rows of its distinct n-grams over the root of how many they are.
// Buckets and root are those of model/ngrams.py; `found` and `sums` only spare the allocation.
void add_ngrams(const Model &model, const int32_t *row, int64_t length, std::vector<int64_t> &found,
                std::vector<float> &sums, float *logits) {
    found.clear();
    for (int n = 1; n <= model.ngram_order; ++n)
        for (int64_t at = 0; at + n <= length; ++at) {
            uint64_t key = 0;
            for (int k = 0; k < n; ++k) key = (key + static_cast<uint64_t>(row[at + k]) + 1) * MULTIPLIER;
            const int64_t bucket = (static_cast<int64_t>(key) >> HASH_SHIFT) % model.buckets;
            found.push_back(bucket < 0 ? bucket + model.buckets : bucket);
        }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    if (found.empty()) return;
    const int labels = model.labels;
    sums.assign(labels, 0.0f);
    for (const int64_t bucket : found)
        for (int label = 0; label < labels; ++label) sums[label] += model.ngrams[bucket * labels + label];
    const float root = std::sqrt(static_cast<float>(found.size()));
    for (int label = 0; label < labels; ++label) logits[label] += sums[label] / root;
}

}  // namespace

extern "C" {

// Whether this processor has what the code above needs.
int sluice_supported() {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma");
}

// So that the caller can tell whether its idea of `Model` is this one.
int sluice_size_of_model() { return static_cast<int>(sizeof(Model)); }

// Logits [texts][labels] of the texts order[begin] to order[end - 1], which must be sorted by length, longest first.
// ids: all texts, one after another; text n is ids[starts[n]] to ids[starts[n + 1] - 1].
void sluice_logits(const Model *model, const int32_t *ids, const int64_t *starts, const int64_t *order, int64_t begin,
                   int64_t end, float *logits) {
    State state;
    std::vector<int64_t> found;
    std::vector<float> sums;
    for (int64_t first = begin; first < end; first += BLOCK) {
        const int rows = static_cast<int>(std::min<int64_t>(BLOCK, end - first));
        const int32_t *texts[BLOCK];
        int64_t lengths[BLOCK];
        float *out[BLOCK];
        for (int r = 0; r < rows; ++r) {
            const int64_t text = order[first + r];
            texts[r] = ids + starts[text];
            lengths[r] = starts[text + 1] - starts[text];
            out[r] = logits + text * model->labels;
            std::copy_n(model->bias, model->labels, out[r]);
            if (model->buckets) add_ngrams(*model, texts[r], lengths[r], found, sums, out[r]);
        }
        for (int d = 0; d < model->directions; ++d) {
            run_block(model->layers[d], model->hidden, d == 1, texts, lengths, rows, state);
            for (int r = 0; r < rows; ++r)
                add_head(*model, d, state, static_cast<size_t>(r) * model->hidden, lengths[r], out[r]);
        }
    }
}
}

#else  // another processor: PyTorch computes

extern "C" {
int sluice_supported() { return 0; }
int sluice_size_of_model() { return 0; }
}

#endif
