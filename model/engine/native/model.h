// Structures that model/engine/cpu.py fills and the kernels read, and the table that each kernel is known by.
#pragma once

#include <cstdint>

namespace sluice {

constexpr int BLOCK_UNITS = 16;  // units that lie side by side in every array below, whatever a vector holds
constexpr int GATES = 4;         // input, forget, cell, output
constexpr int BLOCK_ROWS = 24;   // texts that go through all time steps together
constexpr float H_SCALE = 127;   // of a hidden state, -1 to 1, as an integer
constexpr int H_ZERO = 128;      // stands for 0 where states are bytes without a sign
constexpr float INPUT_STEP = 1.0f / (1 << 11);  // of a gate: the table holds -16 to 16
constexpr int MAX_HIDDEN = 4096; // units of a direction
constexpr int POOLS = 3;         // largest, mean and last state
constexpr int MAX_LAYERS = 3;

// What a token adds to the gates: a byte times the step of its 16 units of a gate.
struct Input {
    const int8_t *values;  // [H / 16][4][16], or as fixed_gates.h has them: [H / 16][4][4 gates][4]
    const uint8_t *steps;  // [H / 16][4], of INPUT_STEP each
};

// The weights of one direction of a layer; H is a multiple of 16. A step's products read D states: the H of this layer,
// and above the first layer those of the layer below, of all its directions.
struct Direction {
    const int8_t *table;     // [vocabulary] times the two arrays of `Input`: weights times embedding, plus bias; of a
    const uint8_t *steps;    // tanh twice as much
    const int8_t *weights;   // [H / 16][D / 4][4][16][4]; of neon-i8mm [H / 16][D / 8][4][16][8]
    const int32_t *offsets;  // [H / 16][4][16] sums begin with these where states have no sign: take H_ZERO out again; where
                             // gates are integers, with the bias above the first layer too
    const float *scales;     // [H / 16][4][16] from integer sums to gates
    const int32_t *shifts;   // these two instead of `scales` where gates are integers: [H / 16][4][16] right shifts
    const int16_t *factors;  // [H / 16][4][32] and what then multiplies, over 2^15
    const float *bias;       // [H / 16][4][16] of floating-point gates above the first layer, and of attention
};

extern "C" struct Model {  // of two directions the forward one is first
    int32_t variant;       // index of a kernel, as sluice_variant counts
    int32_t num_layers, gru, directions, hidden, labels, num_pools, ngram_order;
    int32_t pools[POOLS];       // which of largest (0), mean (1) and last (2), in the order of the head
    int32_t attention_units;    // pooling by attention: S rounded up to a multiple of 64; else 0
    int64_t buckets;            // 0: no n-grams
    Direction layers[MAX_LAYERS][2];
    Direction attention;        // as a layer whose "gates" are 64 units at a time; D is S, the states of all directions
    const float *context;       // [attention_units / 64][4][16]
    const float *head;          // [labels][num_pools][directions][H]
    const float *bias;          // [labels]
    const uint16_t *ngrams;     // [buckets][labels], half precision
};

// Texts of a block, longest first.
struct Rows {
    int count;
    const int32_t *ids[BLOCK_ROWS];
    int64_t lengths[BLOCK_ROWS];
    int64_t firsts[BLOCK_ROWS];  // place of a text's first token among all of the block
};

// One direction of one layer over a block of texts. States that layers hand on are bytes [token of the block][width].
struct Pass {
    const Direction *direction;
    int hidden;
    int width;             // states of a token, all directions side by side
    bool backward, gru;
    const uint8_t *below;  // states of the layer below; null of the first layer
    uint8_t *above;        // where this direction's states go, every `width` bytes; null if nobody reads them

    int depth() const { return below == nullptr ? hidden : hidden + width; }
};

// Of a block of texts, each [row][H]. `h` are bytes [row][D], before and after a step in turns.
struct State {
    uint8_t *h[2];
    float *c, *largest, *sum, *last;
    int16_t *words;   // three times as many, for kernels that compute in 16 bits
    float *long_sum;
};

// One variant of the recurrent layer, compiled for one instruction set.
struct Kernel {
    const char *name;
    bool (*supported)();  // by this processor
    // All time steps of one direction; leaves the pooled states in `state`.
    void (*run)(const Pass &pass, const Rows &rows, const State &state);
    // Attention over the states [length][width] of one text: their weighted mean [width]. `scores` [length] is room.
    void (*attend)(const Model &model, const uint8_t *states, int64_t length, float *scores, float *mean);
    // Integer sums [H / 16][4][16] of the recurrent products of states [H], -127 to 127: for tests.
    void (*sums)(const Direction &direction, int hidden, const int8_t *states, int32_t *sums);
    // Sum of n products; n is a multiple of 16.
    float (*dot)(const float *a, const float *b, int n);
};

// Every kernel, the fastest first. One that the compiler could not make has no `run`.
extern const Kernel amx_kernel, avx512_fixed_kernel, avx512_kernel, avx_vnni_kernel, avx2_kernel;
extern const Kernel neon_i8mm_kernel, neon_kernel, amx_emulated_kernel, scalar_kernel;

}  // namespace sluice
