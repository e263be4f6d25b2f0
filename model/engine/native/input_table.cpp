// Rounds the table of inputs to bytes. Compiled for any processor: it runs when a model is loaded, over every token.
#include <cstdint>
#include <cstring>

#include "model.h"

namespace sluice {
namespace {

constexpr int MAX_VALUE = 127, MAX_STEP = 255;
constexpr float MAGIC = 12582912.0f;  // 1.5 * 2^23: added, it leaves the nearest whole number in the lowest bits

// The step of 16 numbers: the least whole one of which none of them has more than 127.
int step_of(const float *gates) {
    float largest[4] = {};
    for (int n = 0; n < BLOCK_UNITS; n += 4)
        for (int k = 0; k < 4; ++k) {
            const float size = gates[n + k] < 0 ? -gates[n + k] : gates[n + k];
            largest[k] = size > largest[k] ? size : largest[k];
        }
    float most = 1;
    for (const float one : largest) most = one > most ? one : most;
    if (most >= MAX_VALUE * MAX_STEP) return MAX_STEP;
    const int step = static_cast<int>(most / MAX_VALUE);
    return step + (static_cast<float>(step * MAX_VALUE) < most);
}

int8_t rounded(float value) {
    value = value < -MAX_VALUE ? -MAX_VALUE : value > MAX_VALUE ? MAX_VALUE : value;
    value += MAGIC;
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return static_cast<int8_t>(bits);
}

}  // namespace
}  // namespace sluice

extern "C" {

// From gates [groups / 4][4][16] in units of INPUT_STEP to values and steps [groups / 4][4]. Values are in the order of
// the gates, or where `four_units` is true [groups / 4][4][4 gates][4], as kernel_avx512_fixed.cpp has them.
void sluice_round_inputs(const float *gates, int64_t groups, int four_units, int8_t *values, uint8_t *steps) {
    using namespace sluice;
    for (int64_t group = 0; group < groups; ++group, gates += BLOCK_UNITS) {
        const int step = step_of(gates);
        steps[group] = static_cast<uint8_t>(step);
        const float factor = 1 / static_cast<float>(step);
        int8_t made[BLOCK_UNITS];
        for (int n = 0; n < BLOCK_UNITS; ++n) made[n] = rounded(gates[n] * factor);
        if (!four_units) {
            std::memcpy(values + group * BLOCK_UNITS, made, sizeof made);
            continue;
        }
        int8_t *to = values + group / GATES * GATES * BLOCK_UNITS + group % GATES * 4;
        for (int n = 0; n < BLOCK_UNITS; n += 4) std::memcpy(to + n * GATES, made + n, 4);
    }
}
}
