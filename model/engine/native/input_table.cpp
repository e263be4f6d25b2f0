// Rounds the table of inputs to bytes. Compiled for any processor: it runs when a model is loaded, over every token.
#include <cstdint>
#include <cstring>

#include "model.h"

namespace sluice {
namespace {

constexpr int MAX_VALUE = 127, MAX_STEP = 255;
constexpr float MAGIC = 12582912.0f;  // 1.5 * 2^23: added, it leaves the nearest whole number in the lowest bits

// The largest magnitude of 16 numbers. Four maxima side by side, which any compiler makes one vector of.
float largest(const float *gates) {
    float most[4] = {};
    for (int n = 0; n < BLOCK_UNITS; n += 4)
        for (int k = 0; k < 4; ++k) {
            const float size = __builtin_fabsf(gates[n + k]);
            most[k] = most[k] > size ? most[k] : size;
        }
    for (int k = 1; k < 4; ++k) most[0] = most[0] > most[k] ? most[0] : most[k];
    return most[0];
}

// Values and step of 16 numbers: the least whole step of which none of them has more than 127.
int round_group(const float *gates, int8_t *values) {
    constexpr float END = MAX_VALUE * MAX_STEP;
    float most = largest(gates), clipped[BLOCK_UNITS];
    if (most > END) {
        for (int n = 0; n < BLOCK_UNITS; ++n) clipped[n] = gates[n] > END ? END : gates[n] < -END ? -END : gates[n];
        gates = clipped;
        most = END;
    }
    int step = static_cast<int>(most / MAX_VALUE);
    step += static_cast<float>(step * MAX_VALUE) < most || step == 0;
    const float factor = 1 / static_cast<float>(step);
    int32_t whole[BLOCK_UNITS];
    for (int n = 0; n < BLOCK_UNITS; ++n) {
        const float value = gates[n] * factor + MAGIC;
        std::memcpy(whole + n, &value, sizeof value);
    }
    for (int n = 0; n < BLOCK_UNITS; ++n) values[n] = static_cast<int8_t>(whole[n]);
    return step;
}

}  // namespace
}  // namespace sluice

extern "C" {

// From gates [groups / 4][4][16] in units of INPUT_STEP to values and steps [groups / 4][4]. Values are in the order of
// the gates, or where `four_units` is true [groups / 4][4][4 gates][4], as fixed_gates.h has them.
void sluice_round_inputs(const float *gates, int64_t groups, int four_units, int8_t *values, uint8_t *steps) {
    using namespace sluice;
    for (int64_t group = 0; group < groups; ++group, gates += BLOCK_UNITS) {
        int8_t made[BLOCK_UNITS];
        steps[group] = static_cast<uint8_t>(round_group(gates, made));
        if (!four_units) {
            std::memcpy(values + group * BLOCK_UNITS, made, sizeof made);
            continue;
        }
        int8_t *to = values + group / GATES * GATES * BLOCK_UNITS + group % GATES * 4;
        for (int n = 0; n < BLOCK_UNITS; n += 4) std::memcpy(to + n * GATES, made + n, 4);
    }
}
}
