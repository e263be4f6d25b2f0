// Structures that model/engine/cpu.py fills and the kernels read, and the table that each kernel is known by.
#pragma once

#include <cstdint>

namespace sluice {

constexpr int BLOCK_UNITS = 16;  // units that lie side by side in every array below, whatever a vector holds
constexpr int GATES = 4;         // input, forget, cell, output
constexpr int BLOCK_ROWS = 24;   // texts that go through all time steps together
constexpr float H_SCALE = 127;   // of a hidden state, -1 to 1, as an integer
constexpr int H_ZERO = 128;      // stands for 0 where states are bytes without a sign
constexpr int MAX_HIDDEN = 4096; // units of a direction
constexpr int POOLS = 3;         // largest, mean and last state

// The weights of one direction; H is a multiple of 16.
struct Direction {
    const uint16_t *table;   // [vocabulary][H / 16][4][16] half precision: weights times embedding, plus bias
    const int8_t *weights;   // [H / 16][H / 4][4][16][4]
    const int32_t *offsets;  // [H / 16][4][16] sums begin with these where states have no sign: take H_ZERO out again
    const float *scales;     // [H / 16][4][16] from integer sums to gates
    const int32_t *shifts;   // these two instead of `scales` where gates are integers: [H / 16][4][16] right shifts
    const int16_t *factors;  // [H / 16][4][32] and what then multiplies, over 2^15
};

extern "C" struct Model {  // of two directions the forward one is first
    int32_t variant;       // index of a kernel, as sluice_variant counts
    int32_t directions, hidden, labels, num_pools, ngram_order;
    int32_t pools[POOLS];  // which of largest (0), mean (1) and last (2), in the order of the head
    int64_t buckets;       // 0: no n-grams
    Direction layers[2];
    const float *head;    // [labels][num_pools][directions][H]
    const float *bias;    // [labels]
    const float *ngrams;  // [buckets][labels]
};

// Texts of a block, longest first.
struct Rows {
    int count;
    const int32_t *ids[BLOCK_ROWS];
    int64_t lengths[BLOCK_ROWS];
};

// Of a block of texts, each [row][H]. `h` are bytes, before and after a step in turns.
struct State {
    uint8_t *h[2];
    float *c, *largest, *sum, *last;
    int16_t *words;   // twice as many, for kernels that compute in 16 bits
    float *long_sum;
};

// One variant of the recurrent layer, compiled for one instruction set.
struct Kernel {
    const char *name;
    bool (*supported)();  // by this processor
    // All time steps of one direction; leaves the pooled states in `state`.
    void (*run)(const Direction &direction, int hidden, bool backward, const Rows &rows, const State &state);
    // Integer sums [H / 16][4][16] of the recurrent products of states [H], -127 to 127: for tests.
    void (*sums)(const Direction &direction, int hidden, const int8_t *states, int32_t *sums);
    // Sum of n products; n is a multiple of 16.
    float (*dot)(const float *a, const float *b, int n);
};

// Every kernel, the fastest first. One that the compiler could not make has no `run`.
extern const Kernel avx512_fixed_kernel, avx512_kernel, avx_vnni_kernel, avx2_kernel, neon_kernel, scalar_kernel;

}  // namespace sluice
