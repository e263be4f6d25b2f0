// Sigmoid and tanh in 16-bit integers, by straight lines between 65 places: what fixed_gates.h looks up.
#pragma once

#include <cstdint>

namespace sluice {

constexpr int CELLS = 64;      // of a quarter each, from -8 to 8
constexpr int X_BITS = 12;     // x is x * 2^12 as an integer: 16 bits from -8 to 8
constexpr int SIGMOID_BITS = 14;
constexpr int TANH_BITS = 12;

// In cell n, f(x) * 2^bits is start[n] + (slope[n] * x >> 15). Cells are numbered by the highest six bits of x, so that
// those below zero are the last 32. `half_tanh` is tanh(x / 2): whoever wants tanh(x) doubles x.
struct Lines {
    alignas(64) int16_t start[CELLS], slope[CELLS];
};

struct GateTables {
    Lines sigmoid, half_tanh;
};

extern const GateTables gate_tables;

}  // namespace sluice
