// Vectors of 8 lanes: AVX2 with FMA and half precision (x86 since Haswell and Zen), and the same with AVX-VNNI (Intel's
// desktop processors since Alder Lake, AMD since Zen 5), which multiplies and adds 8-bit integers in one instruction.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "model.h"

namespace sluice {
namespace {

struct Avx2 {
    using Float = __m256;
    using Int = __m256i;
    using Bytes = __m256i;
    struct States {
        __m256i signed_bytes, magnitudes;
    };
    static constexpr int LANES = 8;
    static constexpr int TILE = 3;  // 12 sums of 16 registers
    static constexpr bool SIGNED = true;

    static Float set(float x) { return _mm256_set1_ps(x); }
    static Int zero() { return _mm256_setzero_si256(); }
    static Float load(const float *p) { return _mm256_load_ps(p); }
    static Int load(const int32_t *p) { return _mm256_load_si256(reinterpret_cast<const __m256i *>(p)); }
    static Bytes load_bytes(const int8_t *p) { return _mm256_load_si256(reinterpret_cast<const __m256i *>(p)); }
    static Float load_half(const uint16_t *p) {
        return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i *>(p)));
    }
    static void store(float *p, Float x) { _mm256_store_ps(p, x); }
    static void store_anywhere(float *p, Float x) { _mm256_storeu_ps(p, x); }
    static __m256i broadcast_bytes(const uint8_t *p) {
        int32_t four;
        __builtin_memcpy(&four, p, sizeof four);
        return _mm256_set1_epi32(four);
    }
    static States broadcast(const uint8_t *p) {
        const __m256i h = broadcast_bytes(p);
        return {h, _mm256_abs_epi8(h)};
    }
    // `vpmaddubsw` adds two products in 16 bits and saturates: with 255 * 127 it would. So the sign of the state goes to
    // the weight, and no sum of two is above 2 * 127 * 127 = 32,258. States are -127 to 127, never -128.
    static Int dot(Int sum, const States &h, Bytes w) {
        const __m256i pairs = _mm256_maddubs_epi16(h.magnitudes, _mm256_sign_epi8(w, h.signed_bytes));
        return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
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
    static __m128i rounded(Float h, Float zero) {
        const Int whole = _mm256_cvtps_epi32(_mm256_fmadd_ps(h, _mm256_set1_ps(H_SCALE), zero));
        return _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    }
    static void store_states(uint8_t *p, Float h) {
        const __m128i words = rounded(h, _mm256_setzero_ps());
        _mm_storel_epi64(reinterpret_cast<__m128i *>(p), _mm_packs_epi16(words, words));
    }
};

#if defined(__AVXVNNI__)

struct AvxVnni : Avx2 {
    using States = __m256i;
    static constexpr bool SIGNED = false;

    static States broadcast(const uint8_t *p) { return broadcast_bytes(p); }
    static Int dot(Int sum, States h, Bytes w) { return _mm256_dpbusd_avx_epi32(sum, h, w); }
    static void store_states(uint8_t *p, Float h) {
        const __m128i words = rounded(h, _mm256_set1_ps(H_ZERO));
        _mm_storel_epi64(reinterpret_cast<__m128i *>(p), _mm_packus_epi16(words, words));
    }
};

#endif

}  // namespace
}  // namespace sluice
