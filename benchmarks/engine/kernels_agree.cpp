// Compares each kernel that this processor can run with the portable one, on a random layer; see kernel_arm.py.
//
// The integer sums must be equal. The pooled states may differ where the last bits of a gate round a state the other way.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "model.h"

using namespace sluice;

namespace {

constexpr int HIDDEN = 48, VOCABULARY = 20, TEXTS = 7;
constexpr float LARGEST_DIFFERENCE = 0.02f;

template <class T>
T *room(size_t count) {
    return static_cast<T *>(std::aligned_alloc(64, (count * sizeof(T) + 63) / 64 * 64));
}

State make_state() {
    const size_t size = static_cast<size_t>(BLOCK_ROWS) * HIDDEN;
    return {{room<uint8_t>(size), room<uint8_t>(size)}, room<float>(size), room<float>(size), room<float>(size),
            room<float>(size), room<int16_t>(2 * size), room<float>(size)};
}

}  // namespace

int main() {
    std::mt19937 random(0);
    std::uniform_int_distribution<int> byte(-127, 127), small(-64, 64), half(0x2c00, 0x3c00), token(0, VOCABULARY - 1);
    const size_t gates = static_cast<size_t>(GATES) * HIDDEN;
    uint16_t *table = room<uint16_t>(VOCABULARY * gates);
    for (size_t n = 0; n < VOCABULARY * gates; ++n) table[n] = half(random) | (byte(random) < 0 ? 0x8000 : 0);
    int8_t *weights = room<int8_t>(gates * HIDDEN), *states = room<int8_t>(HIDDEN);
    for (size_t n = 0; n < gates * HIDDEN; ++n) weights[n] = static_cast<int8_t>(small(random));
    for (int k = 0; k < HIDDEN; ++k) states[k] = static_cast<int8_t>(byte(random));
    int32_t *offsets = room<int32_t>(gates);
    float *scales = room<float>(gates);
    for (size_t n = 0; n < gates; ++n) scales[n] = -1e-5f;
    // An offset takes out what 128 for each state adds: it is there for kernels whose states have no sign.
    for (int block = 0; block < HIDDEN / BLOCK_UNITS; ++block)
        for (int g = 0; g < GATES; ++g)
            for (int unit = 0; unit < BLOCK_UNITS; ++unit) {
                int32_t sum = 0;
                for (int k = 0; k < HIDDEN; ++k)
                    sum += weights[(((block * (HIDDEN / 4) + k / 4) * GATES + g) * BLOCK_UNITS + unit) * 4 + k % 4];
                offsets[(block * GATES + g) * BLOCK_UNITS + unit] = -H_ZERO * sum;
            }
    const Direction direction{table, weights, offsets, scales, nullptr, nullptr};
    std::vector<std::vector<int32_t>> texts;
    Rows rows{};
    for (int n = 0; n < TEXTS; ++n) {
        texts.emplace_back(5 * (TEXTS - n) - 4);
        for (int32_t &id : texts.back()) id = token(random);
        rows.lengths[n] = static_cast<int64_t>(texts.back().size());
    }
    for (int n = 0; n < TEXTS; ++n) rows.ids[n] = texts[n].data();
    rows.count = TEXTS;
    const State expected = make_state();
    std::vector<int32_t> expected_sums(gates), sums(gates);
    scalar_kernel.run(direction, HIDDEN, true, rows, expected);
    scalar_kernel.sums(direction, HIDDEN, states, expected_sums.data());
    bool agree = true;
    for (const Kernel *kernel : {&avx512_kernel, &avx_vnni_kernel, &avx2_kernel, &neon_kernel}) {
        if (kernel->run == nullptr || !kernel->supported()) continue;
        const State state = make_state();
        kernel->run(direction, HIDDEN, true, rows, state);
        kernel->sums(direction, HIDDEN, states, sums.data());
        float furthest = 0;
        for (int n = 0; n < TEXTS * HIDDEN; ++n) {
            furthest = std::fmax(furthest, std::fabs(state.largest[n] - expected.largest[n]));
            furthest = std::fmax(furthest, std::fabs(state.last[n] - expected.last[n]));
            furthest = std::fmax(furthest, std::fabs(state.sum[n] - expected.sum[n]) / rows.lengths[n / HIDDEN]);
        }
        const bool same = sums == expected_sums, near = furthest <= LARGEST_DIFFERENCE;
        std::printf("%s: sums %s, states differ by at most %.2g\n", kernel->name, same ? "equal" : "DIFFER", furthest);
        agree = agree && same && near;
    }
    return agree ? 0 : 1;
}
