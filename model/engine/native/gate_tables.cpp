// Tables of sigmoid and tanh. Compiled for any processor: it runs when the library is loaded.
#include "gate_tables.h"

#include <cmath>

namespace sluice {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double half_tanh(double x) { return std::tanh(x / 2); }

// In each cell the line through both ends, moved by half of how far the function is from it in the middle: the largest
// error is an eighth of the cell's width squared times the second derivative, halved: 4e-4 of sigmoid, 8e-4 of tanh.
Lines lines(double (*f)(double), int bits) {
    Lines result{};
    const double width = 16.0 / CELLS;
    for (int n = 0; n < CELLS; ++n) {
        const double left = (n < CELLS / 2 ? n : n - CELLS) * width, right = left + width, middle = left + width / 2;
        const double slope = (f(right) - f(left)) / width;
        const double chord = f(left) + slope * width / 2;
        const double start = f(left) - slope * left + (f(middle) - chord) / 2;
        result.start[n] = static_cast<int16_t>(std::lrint(std::ldexp(start, bits)));
        result.slope[n] = static_cast<int16_t>(std::lrint(std::ldexp(slope, bits + 15 - X_BITS)));
    }
    return result;
}

}  // namespace

const GateTables gate_tables{lines(sigmoid, SIGMOID_BITS), lines(half_tanh, TANH_BITS)};

}  // namespace sluice
