// The engine's C interface: logits or pooled states of many texts by one of the kernels (kernel_*.cpp); see model/engine/cpu.py.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <vector>

#include "model.h"

namespace {

using namespace sluice;

constexpr uint64_t MULTIPLIER = 0x9E3779B97F4A7C15ull;  // of model/ngrams.py
constexpr int HASH_SHIFT = 20;
constexpr size_t ALIGNMENT = 64;
constexpr int64_t KEPT_TOKENS = 24 * 1024;  // of a block where states are kept, but for a few long texts
constexpr int64_t LEAST_ROWS = 6;           // of a block: a tile of a kernel

enum Outcome { DONE = 0, NO_MEMORY = -1 };  // model/engine/cpu.py has the latter too

const Kernel *const KERNELS[] = {&amx_kernel,       &avx512_fixed_kernel, &avx512_kernel,       &avx_vnni_kernel, &avx2_kernel,
                                 &neon_i8mm_kernel, &neon_kernel,         &amx_emulated_kernel, &scalar_kernel};
constexpr int NUM_KERNELS = sizeof KERNELS / sizeof KERNELS[0];

// Room for the states of a block, aligned as vectors want it.
class Room {
  public:
    Room(int hidden, int depth) {
        const size_t floats = static_cast<size_t>(BLOCK_ROWS) * hidden, bytes = static_cast<size_t>(BLOCK_ROWS) * depth;
        const size_t size = floats * (5 * sizeof(float) + 3 * sizeof(int16_t)) + 2 * bytes;
        memory_ = static_cast<char *>(std::aligned_alloc(ALIGNMENT, size));
        if (memory_ == nullptr) throw std::bad_alloc();
        float *at = reinterpret_cast<float *>(memory_);
        for (float **part : {&state.c, &state.largest, &state.sum, &state.last, &state.long_sum}) {
            *part = at;
            at += floats;
        }
        state.h[0] = reinterpret_cast<uint8_t *>(at);
        state.h[1] = state.h[0] + bytes;
        state.words = reinterpret_cast<int16_t *>(state.h[1] + bytes);
    }
    ~Room() { std::free(memory_); }
    Room(const Room &) = delete;
    Room &operator=(const Room &) = delete;

    State state;

  private:
    char *memory_;
};

// Adds to `logits` [labels] of one text what its pooled states of one direction give.
void add_head(const Model &model, const Kernel &kernel, int direction, const State &state, size_t at, int64_t length,
              float *logits) {
    if (length == 0) return;
    const int hidden = model.hidden;
    const float *pooled[POOLS] = {state.largest + at, state.sum + at, state.last + at};
    for (int label = 0; label < model.labels; ++label)
        for (int p = 0; p < model.num_pools; ++p) {
            const int row = (label * model.num_pools + p) * model.directions + direction;
            const float *weights = model.head + static_cast<size_t>(row) * hidden;
            const float product = kernel.dot(pooled[model.pools[p]], weights, hidden);
            logits[label] += model.pools[p] == 1 ? product / static_cast<float>(length) : product;
        }
}

// Writes the pooled states [num_pools][directions][H] of one text, those of one direction, to `out`.
void copy_pooled(const Model &model, int direction, const State &state, size_t at, int64_t length, float *out) {
    const int hidden = model.hidden;
    const float *pooled[POOLS] = {state.largest + at, state.sum + at, state.last + at};
    for (int p = 0; p < model.num_pools; ++p) {
        const float divisor = model.pools[p] == 1 ? static_cast<float>(length) : 1.0f;
        float *const to = out + static_cast<size_t>(p * model.directions + direction) * hidden;
        for (int i = 0; length && i < hidden; ++i) to[i] = pooled[model.pools[p]][i] / divisor;
    }
}

// The recurrent layers and pooling, and the head unless the pooled states are wanted; with room for a block of texts.
class Network {
  public:
    Network(const Model &model, bool pooled)
        : model_(model),
          pooled_(pooled),
          kernel_(*KERNELS[model.variant]),
          width_(model.directions * model.hidden),
          room_(model.hidden, model.num_layers > 1 ? model.hidden + width_ : model.hidden) {}

    // How many of the next texts, longest first, go together: fewer where long ones' states must be kept.
    int rows_of_block(const int64_t *starts, const int64_t *order, int64_t left) const {
        const int64_t most = std::min<int64_t>(BLOCK_ROWS, left);
        if (!keeps()) return static_cast<int>(most);
        const int64_t longest = std::max<int64_t>(1, starts[order[0] + 1] - starts[order[0]]);
        return static_cast<int>(std::min(most, std::max<int64_t>(LEAST_ROWS, KEPT_TOKENS / longest)));
    }

    // Adds to each text's numbers out[row] those of the block, which has so many tokens: logits [labels], or what the
    // head reads of a text, [num_pools][directions][H], of attention [directions][H].
    void add(const Rows &rows, int64_t tokens, float *const *out) {
        if (keeps())
            for (auto &states : kept_) states.resize(std::max(states.size(), static_cast<size_t>(tokens + 1) * width_));
        for (int layer = 0; layer < model_.num_layers; ++layer) {
            const bool last = layer + 1 == model_.num_layers, kept = !last || model_.attention_units;
            for (int d = 0; d < model_.directions; ++d) {
                const uint8_t *below = layer ? kept_[(layer + 1) % 2].data() : nullptr;
                uint8_t *above = kept ? kept_[layer % 2].data() + d * model_.hidden : nullptr;
                const Pass pass{&model_.layers[layer][d], model_.hidden, width_, d == 1, model_.gru != 0, below, above};
                kernel_.run(pass, rows, room_.state);
                if (!last) continue;
                for (int r = 0; r < rows.count; ++r) {
                    const size_t at = static_cast<size_t>(r) * model_.hidden;
                    if (pooled_)
                        copy_pooled(model_, d, room_.state, at, rows.lengths[r], out[r]);
                    else
                        add_head(model_, kernel_, d, room_.state, at, rows.lengths[r], out[r]);
                }
            }
        }
        if (model_.attention_units) add_attention(rows, kept_[(model_.num_layers + 1) % 2].data(), out);
    }

  private:
    bool keeps() const { return model_.num_layers > 1 || model_.attention_units; }

    void add_attention(const Rows &rows, const uint8_t *states, float *const *out) {
        scores_.resize(std::max(scores_.size(), static_cast<size_t>(rows.lengths[0])));
        float *const mean = room_.state.c;  // no longer in use
        for (int r = 0; r < rows.count && rows.lengths[r]; ++r) {
            kernel_.attend(model_, states + rows.firsts[r] * width_, rows.lengths[r], scores_.data(), mean);
            if (pooled_) std::copy_n(mean, width_, out[r]);
            for (int label = 0; !pooled_ && label < model_.labels; ++label)
                out[r][label] += kernel_.dot(mean, model_.head + static_cast<size_t>(label) * width_, width_);
        }
    }

    const Model &model_;
    const bool pooled_;
    const Kernel &kernel_;
    const int width_;  // states of a token, all directions
    const Room room_;
    std::vector<uint8_t> kept_[2];  // [token of the block][width] states of a layer, which the next one or attention reads
    std::vector<float> scores_;
};

// Which buckets a text has had: a hash table with open addressing that forgets by counting up, not by clearing.
class Seen {
  public:
    // Begins a text of at most `count` buckets.
    void begin(size_t count) {
        size_t size = 64;
        while (size < 2 * count) size *= 2;
        if (size > slots_.size()) {
            slots_.assign(size, {});
            mask_ = size - 1;
        }
        ++text_;
    }
    // True the first time that a text has this bucket.
    bool add(int64_t bucket) {
        size_t at = static_cast<size_t>(bucket) & mask_;
        for (; slots_[at].text == text_; at = (at + 1) & mask_)
            if (slots_[at].bucket == bucket) return false;
        slots_[at] = {text_, bucket};
        return true;
    }

  private:
    struct Slot {
        int64_t text = 0, bucket = 0;
    };
    std::vector<Slot> slots_;
    size_t mask_ = 0;
    int64_t text_ = 0;
};

// A finite number in half precision. Exponent and mantissa go to their places, and a product moves the exponent's zero
// from 15 to 127; it also serves numbers too small for an exponent.
float half_to_float(uint16_t half) {
    const uint32_t bits = static_cast<uint32_t>(half & 0x7fff) << 13, sign = static_cast<uint32_t>(half & 0x8000) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    value *= 0x1p112f;
    uint32_t whole;
    std::memcpy(&whole, &value, sizeof whole);
    whole |= sign;
    std::memcpy(&value, &whole, sizeof value);
    return value;
}

// Adds to `logits` [labels] of one text the table's rows of its distinct n-grams over the root of how many they are.
// Buckets and root are those of model/ngrams.py; `found`, `seen` and `sums` only spare the allocation.
void add_ngrams(const Model &model, const int32_t *row, int64_t length, std::vector<int64_t> &found, Seen &seen,
                std::vector<float> &sums, float *logits) {
    const int labels = model.labels;
    found.clear();
    for (int n = 1; n <= model.ngram_order; ++n)
        for (int64_t at = 0; at + n <= length; ++at) {
            uint64_t key = 0;
            for (int k = 0; k < n; ++k) key = (key + static_cast<uint64_t>(row[at + k]) + 1) * MULTIPLIER;
            int64_t bucket = static_cast<int64_t>(key) >> HASH_SHIFT;
            // The remainder of a power of two, without a division.
            if ((model.buckets & (model.buckets - 1)) == 0)
                bucket &= model.buckets - 1;
            else if ((bucket %= model.buckets) < 0)
                bucket += model.buckets;
            found.push_back(bucket);
            __builtin_prefetch(model.ngrams + bucket * labels);  // a table far larger than the cache
        }
    if (found.empty()) return;
    seen.begin(found.size());
    sums.assign(labels, 0.0f);
    int64_t distinct = 0;
    for (const int64_t bucket : found) {
        if (!seen.add(bucket)) continue;
        ++distinct;
        for (int label = 0; label < labels; ++label) sums[label] += half_to_float(model.ngrams[bucket * labels + label]);
    }
    const float root = std::sqrt(static_cast<float>(distinct));
    for (int label = 0; label < labels; ++label) logits[label] += sums[label] / root;
}

// Visits the texts order[begin] to order[end - 1] in blocks; `begin_text` says where a text's numbers go.
template <typename BeginText>
void run_blocks(Network &network, const int32_t *ids, const int64_t *starts, const int64_t *order, int64_t begin,
                int64_t end, BeginText begin_text) {
    for (int64_t first = begin; first < end;) {
        Rows rows;
        float *out[BLOCK_ROWS];
        rows.count = network.rows_of_block(starts, order + first, end - first);
        int64_t tokens = 0;
        for (int r = 0; r < rows.count; ++r) {
            const int64_t text = order[first + r];
            rows.ids[r] = ids + starts[text];
            rows.lengths[r] = starts[text + 1] - starts[text];
            rows.firsts[r] = tokens;
            tokens += rows.lengths[r];
            out[r] = begin_text(text, rows.ids[r], rows.lengths[r]);
        }
        network.add(rows, tokens, out);
        first += rows.count;
    }
}

}  // namespace

extern "C" {

// Name of the kernel `index`, the fastest first; null after the last one.
const char *sluice_variant(int index) { return index < NUM_KERNELS ? KERNELS[index]->name : nullptr; }

// 1 if this processor can run it and the compiler could make it.
int sluice_supported(int index) {
    return index >= 0 && index < NUM_KERNELS && KERNELS[index]->run != nullptr && KERNELS[index]->supported();
}

// So that the caller can tell whether its idea of `Model` is this one.
int sluice_size_of_model() { return static_cast<int>(sizeof(Model)); }

// Integer sums [H / 16][4][16] of the model's first direction, of states [H], -127 to 127, without their offsets.
void sluice_sums(const Model *model, const int8_t *states, int32_t *sums) {
    KERNELS[model->variant]->sums(model->layers[0][0], model->hidden, states, sums);
}

// Logits [texts][labels] of the texts order[begin] to order[end - 1], which must be sorted by length, longest first.
// ids: all texts, one after another; text n is ids[starts[n]] to ids[starts[n + 1] - 1]. Returns an `Outcome`.
int sluice_logits(const Model *model, const int32_t *ids, const int64_t *starts, const int64_t *order, int64_t begin,
                  int64_t end, float *logits) try {
    Network network(*model, false);
    std::vector<int64_t> found;
    Seen seen;
    std::vector<float> sums;
    run_blocks(network, ids, starts, order, begin, end, [&](int64_t text, const int32_t *row, int64_t length) {
        float *const out = logits + text * model->labels;
        std::copy_n(model->bias, model->labels, out);
        if (model->buckets) add_ngrams(*model, row, length, found, seen, sums, out);
        return out;
    });
    return DONE;
} catch (const std::exception &) {  // nothing else is thrown
    return NO_MEMORY;
}

// The same of what the head reads: pooled states [texts][num_pools][directions][H], of attention [texts][directions][H].
// They must be zero before; those of a text without tokens stay so.
int sluice_pooled(const Model *model, const int32_t *ids, const int64_t *starts, const int64_t *order, int64_t begin,
                  int64_t end, float *pooled) try {
    const int64_t width = static_cast<int64_t>(model->num_pools ? model->num_pools : 1) * model->directions * model->hidden;
    Network network(*model, true);
    run_blocks(network, ids, starts, order, begin, end,
               [&](int64_t text, const int32_t *, int64_t) { return pooled + text * width; });
    return DONE;
} catch (const std::exception &) {
    return NO_MEMORY;
}
}
