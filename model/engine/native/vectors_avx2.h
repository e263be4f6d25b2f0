// Vectors of 8 lanes: AVX2 with FMA (x86 since Haswell and Zen), and the same with AVX-VNNI (Intel's
// desktop processors since Alder Lake, AMD since Zen 5), which multiplies and adds 8-bit integers in one instruction.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "model.h"

namespace sluice {
namespace {

struct Avx2 {
    using Float = __m256;
    using Int = __m256i;
    using Sums = Int;
    using Bytes = __m256i;
    using States = __m256i;
    static constexpr int LANES = 8;
    static constexpr int TILE = 3;  // 12 sums of 16 registers
    static constexpr int ROWS = 1, DEPTH = 4;  // of a product, see lstm_kernel.h
    static constexpr bool SIGNED = false;

    static Float set(float x) { return _mm256_set1_ps(x); }
    static Float load(const float *p) { return _mm256_load_ps(p); }
    static Int load(const int32_t *p) { return _mm256_load_si256(reinterpret_cast<const __m256i *>(p)); }
    static Bytes load_bytes(const int8_t *p) { return _mm256_load_si256(reinterpret_cast<const __m256i *>(p)); }
    static Float load_whole(const int8_t *p) {
        return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(p))));
    }
    static void store(float *p, Float x) { _mm256_store_ps(p, x); }
    static void store_anywhere(float *p, Float x) { _mm256_storeu_ps(p, x); }
    static Sums start(const int32_t *offsets) { return load(offsets); }
    static States load_states(const uint8_t *p, size_t = 0) {
        int32_t four;
        __builtin_memcpy(&four, p, sizeof four);
        return _mm256_set1_epi32(four);
    }
    // `vpmaddubsw` adds two products in 16 bits and saturates. model/engine/layout.py makes the weights such that no sum
    // of two exceeds 255 * 128.
    static Int dot(Int sum, States h, Bytes w) {
        return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(h, w), _mm256_set1_epi16(1)));
    }
    static Int of_row(Int sums, int) { return sums; }
    static Float to_float(Int x) { return _mm256_cvtepi32_ps(x); }
    static Float add(Float a, Float b) { return _mm256_add_ps(a, b); }
    static Float sub(Float a, Float b) { return _mm256_sub_ps(a, b); }
    static Float mul(Float a, Float b) { return _mm256_mul_ps(a, b); }
    static Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
    static Float min(Float a, Float b) { return _mm256_min_ps(a, b); }
    static Float max(Float a, Float b) { return _mm256_max_ps(a, b); }
    // x times 2^n, n in the lowest bits of `above`.
    static Float scale_by_low_bits(Float x, Float above) {
        const Int exponent = _mm256_slli_epi32(_mm256_castps_si256(above), 23);
        return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), exponent));
    }
    // 1 / x to 1e-7 relative: an estimate of 12 bits and one step of Newton.
    static Float reciprocal(Float x) {
        const Float r = _mm256_rcp_ps(x);
        return _mm256_mul_ps(r, _mm256_fnmadd_ps(x, r, _mm256_set1_ps(2.0f)));
    }
    static void store_states(uint8_t *p, Float h) {
        const Float shifted = _mm256_fmadd_ps(h, _mm256_set1_ps(H_SCALE), _mm256_set1_ps(H_ZERO));
        const Int whole = _mm256_cvtps_epi32(shifted);
        const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
        _mm_storel_epi64(reinterpret_cast<__m128i *>(p), _mm_packus_epi16(words, words));
    }
};

#if defined(__AVXVNNI__)

struct AvxVnni : Avx2 {
    static Int dot(Int sum, States h, Bytes w) { return _mm256_dpbusd_avx_epi32(sum, h, w); }
};

#endif

}  // namespace
}  // namespace sluice
