// Vectors of 16 lanes: AVX-512 with VNNI (Intel since Cascade Lake and Ice Lake, AMD since Zen 4).
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "model.h"

namespace sluice {
namespace {

struct Avx512 {
    using Float = __m512;
    using Int = __m512i;
    using Sums = Int;
    using Bytes = __m512i;   // weights with a sign, four to a lane
    using States = __m512i;  // four states of one row, the same in each lane
    static constexpr int LANES = 16;
    static constexpr int TILE = 6;  // 24 sums and four weights of 32 registers
    static constexpr int ROWS = 1, DEPTH = 4;  // of a product, see lstm_kernel.h
    static constexpr bool SIGNED = false;

    // Of the processor; inside the unnamed namespace, so that no other file calls code built for AVX-512.
    static bool supported() {
        __builtin_cpu_init();
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma");
    }

    static Float set(float x) { return _mm512_set1_ps(x); }
    static Float load(const float *p) { return _mm512_load_ps(p); }
    static Int load(const int32_t *p) { return _mm512_load_si512(p); }
    static Bytes load_bytes(const int8_t *p) { return _mm512_load_si512(p); }
    static Float load_whole(const int8_t *p) {
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_load_si128(reinterpret_cast<const __m128i *>(p))));
    }
    static void store(float *p, Float x) { _mm512_store_ps(p, x); }
    static void store_anywhere(float *p, Float x) { _mm512_storeu_ps(p, x); }
    static Sums start(const int32_t *offsets) { return load(offsets); }
    static States load_states(const uint8_t *p, size_t = 0) {
        int32_t four;
        __builtin_memcpy(&four, p, sizeof four);
        return _mm512_set1_epi32(four);
    }
    // GCC 12 copies the sums for the intrinsic, before or after.
    static Int dot(Int sum, States h, Bytes w) {
        __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(h), "v"(w));
        return sum;
    }
    static Int of_row(Int sums, int) { return sums; }
    static Float to_float(Int x) { return _mm512_cvtepi32_ps(x); }
    static Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
    static Float sub(Float a, Float b) { return _mm512_sub_ps(a, b); }
    static Float mul(Float a, Float b) { return _mm512_mul_ps(a, b); }
    static Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
    static Float min(Float a, Float b) { return _mm512_min_ps(a, b); }
    static Float max(Float a, Float b) { return _mm512_max_ps(a, b); }
    // x times 2^n, n in the lowest bits of `above`.
    static Float scale_by_low_bits(Float x, Float above) {
        const Int exponent = _mm512_slli_epi32(_mm512_castps_si512(above), 23);
        return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x), exponent));
    }
    // 1 / x to 1e-8 relative: an estimate of 14 bits and one step of Newton.
    static Float reciprocal(Float x) {
        const Float r = _mm512_rcp14_ps(x);
        return _mm512_mul_ps(r, _mm512_fnmadd_ps(x, r, _mm512_set1_ps(2.0f)));
    }
    static void store_states(uint8_t *p, Float h) {
        const Float shifted = _mm512_fmadd_ps(h, _mm512_set1_ps(H_SCALE), _mm512_set1_ps(H_ZERO));
        _mm_store_si128(reinterpret_cast<__m128i *>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(shifted)));
    }
};

}  // namespace
}  // namespace sluice
