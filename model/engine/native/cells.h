// One time step of an LSTM's or a GRU's units, from the sums of its gates, over a layer of vector operations.
//
// Both have four "gates" here. They come as -log2(e) x, those of a tanh as twice as much, so that with E_x = e^-x = 2^gate
// sigmoid(x) = 1 / (1 + E_x) and tanh(x) = (1 - E_2x) / (1 + E_2x).
#pragma once

#include "model.h"

#define INLINE inline __attribute__((always_inline))

namespace sluice {
namespace {

constexpr float LIMIT = 29;  // of a power: 1 / (1 + 2^29) is 0 to a gate; keeps a product of three finite
constexpr float LOG2_E = 1.44269504f;

// 2^y for y up to 2^21, to 8e-5 relative: 2^n * 2^f with n the nearest integer and a polynomial of degree 3 for 2^f
// (least largest relative error on [-1/2, 1/2], by reweighted least squares). Adding 1.5 * 2^23 leaves n in the lowest
// bits, whence a shift takes it to those of the exponent.
template <class V>
INLINE typename V::Float power_of_two(typename V::Float y) {
    const typename V::Float magic = V::set(12582912.0f);
    y = V::max(y, V::set(-126.0f));
    const typename V::Float above = V::add(y, magic);
    const typename V::Float f = V::sub(y, V::sub(above, magic));
    typename V::Float p = V::set(5.51716648e-2f);
    p = V::fma(p, f, V::set(2.42611122e-1f));
    p = V::fma(p, f, V::set(6.93260986e-1f));
    p = V::fma(p, f, V::set(9.99928071e-1f));
    return V::scale_by_low_bits(p, above);
}

template <class V>
INLINE typename V::Float limited_power(typename V::Float gate) {
    return power_of_two<V>(V::min(gate, V::set(LIMIT)));
}

// Input, forget, cell, output. Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000, as in model/cell.py.
struct Lstm {
    // New hidden state; `c` is the cell before and after. All over common denominators: five powers and two reciprocals.
    template <class V>
    static INLINE typename V::Float next(const typename V::Float gates[GATES], typename V::Float &c) {
        const typename V::Float one = V::set(1.0f);
        const typename V::Float e_i = limited_power<V>(gates[0]), e_f = limited_power<V>(gates[1]);
        const typename V::Float e_g = limited_power<V>(gates[2]), e_o = limited_power<V>(gates[3]);
        const typename V::Float not_f = V::add(one, e_f);
        const typename V::Float not_ig = V::mul(V::add(one, e_i), V::add(one, e_g));
        const typename V::Float above = V::fma(c, not_ig, V::mul(V::sub(one, e_g), not_f));
        c = V::mul(above, V::reciprocal(V::mul(not_ig, not_f)));
        const typename V::Float e_c = limited_power<V>(V::mul(c, V::set(-2 * LOG2_E)));
        const typename V::Float below = V::mul(V::add(one, e_o), V::add(one, e_c));
        return V::mul(V::sub(one, e_c), V::reciprocal(below));
    }
};

// Reset, update, and the candidate in two parts, of the state and of the input: the reset gate multiplies the first alone.
// Cho et al. 2014, as in model/cells.py.
struct Gru {
    // New hidden state; `h` is the one before and after, in full precision.
    template <class V>
    static INLINE typename V::Float next(const typename V::Float gates[GATES], typename V::Float &h) {
        const typename V::Float one = V::set(1.0f);
        const typename V::Float reset = V::reciprocal(V::add(one, limited_power<V>(gates[0])));
        const typename V::Float e_z = limited_power<V>(gates[1]);
        const typename V::Float e_n = limited_power<V>(V::fma(reset, gates[2], gates[3]));
        // (1 - z) n + z h, over (1 + e_z) (1 + e_n)
        const typename V::Float above = V::fma(h, V::add(one, e_n), V::mul(e_z, V::sub(one, e_n)));
        return h = V::mul(above, V::reciprocal(V::mul(V::add(one, e_z), V::add(one, e_n))));
    }
};

}  // namespace
}  // namespace sluice
