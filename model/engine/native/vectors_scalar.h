// "Vectors" in portable C++, four lanes by loops: for any processor, and the reference for the other layers in tests.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "model.h"

namespace sluice {
namespace {

struct Scalar {
    static constexpr int LANES = 4;
    static constexpr int TILE = 1;
    static constexpr int ROWS = 1, DEPTH = 4;  // of a product, see lstm_kernel.h
    static constexpr bool SIGNED = true;
    struct Float {
        float lane[LANES];
    };
    struct Int {
        int32_t lane[LANES];
    };
    using Sums = Int;
    struct Bytes {
        int8_t lane[LANES][4];
    };
    struct States {
        int8_t state[4];
    };

    template <class To, class Of>
    static To each(Of of) {
        To result;
        for (int i = 0; i < LANES; ++i) result.lane[i] = of(i);
        return result;
    }
    template <class T>
    static T copied(const void *p) {
        T result;
        __builtin_memcpy(&result, p, sizeof result);
        return result;
    }

    static Float set(float x) { return each<Float>([&](int) { return x; }); }
    static Float load(const float *p) { return copied<Float>(p); }
    static Int load(const int32_t *p) { return copied<Int>(p); }
    static Bytes load_bytes(const int8_t *p) { return copied<Bytes>(p); }
    static Float load_whole(const int8_t *p) { return each<Float>([&](int i) { return static_cast<float>(p[i]); }); }
    static void store(float *p, const Float &x) { __builtin_memcpy(p, &x, sizeof x); }
    static void store_anywhere(float *p, const Float &x) { store(p, x); }
    static Sums start(const int32_t *) { return Int{}; }
    static States load_states(const uint8_t *p, size_t = 0) { return copied<States>(p); }
    static Int dot(const Int &sum, const States &h, const Bytes &w) {
        return each<Int>([&](int i) {
            int32_t total = sum.lane[i];
            for (int k = 0; k < 4; ++k) total += h.state[k] * w.lane[i][k];
            return total;
        });
    }
    static Int of_row(const Int &sums, int) { return sums; }
    static Float to_float(const Int &x) {
        return each<Float>([&](int i) { return static_cast<float>(x.lane[i]); });
    }
    static Float add(const Float &a, const Float &b) {
        return each<Float>([&](int i) { return a.lane[i] + b.lane[i]; });
    }
    static Float sub(const Float &a, const Float &b) {
        return each<Float>([&](int i) { return a.lane[i] - b.lane[i]; });
    }
    static Float mul(const Float &a, const Float &b) {
        return each<Float>([&](int i) { return a.lane[i] * b.lane[i]; });
    }
    static Float fma(const Float &a, const Float &b, const Float &c) {
        return each<Float>([&](int i) { return a.lane[i] * b.lane[i] + c.lane[i]; });
    }
    static Float min(const Float &a, const Float &b) {
        return each<Float>([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
    }
    static Float max(const Float &a, const Float &b) {
        return each<Float>([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
    }
    // x times 2^n, n in the lowest bits of `above`.
    static Float scale_by_low_bits(const Float &x, const Float &above) {
        return each<Float>([&](int i) {
            const uint32_t bits = copied<uint32_t>(&x.lane[i]) + (copied<uint32_t>(&above.lane[i]) << 23);
            return copied<float>(&bits);
        });
    }
    static Float reciprocal(const Float &x) {
        return each<Float>([&](int i) { return 1.0f / x.lane[i]; });
    }
    static void store_states(uint8_t *p, const Float &h) {
        for (int i = 0; i < LANES; ++i)
            p[i] = static_cast<uint8_t>(static_cast<int8_t>(std::lrint(h.lane[i] * H_SCALE)));
    }
};

}  // namespace
}  // namespace sluice
