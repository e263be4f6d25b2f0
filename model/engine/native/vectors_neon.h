// Vectors of 4 lanes: 64-bit ARM with the dot product of 8-bit integers (Armv8.2-A with `dotprod`: Graviton 2 and later,
// Ampere Altra, Apple M1 and later, Cortex-A76 and later), and the same with matrix products (`i8mm`: Graviton 3 and
// later, Neoverse V1 and N2, Apple M2 and later), whose one instruction does the work of two.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "model.h"

namespace sluice {
namespace {

struct Neon {
    using Float = float32x4_t;
    using Int = int32x4_t;
    using Sums = Int;
    using Bytes = int8x16_t;
    using States = int8x16_t;
    static constexpr int LANES = 4;
    static constexpr int TILE = 6;  // 24 sums and four weights of 32 registers
    static constexpr int ROWS = 1, DEPTH = 4;  // of a product, see lstm_kernel.h
    static constexpr bool SIGNED = true;

    static Float set(float x) { return vdupq_n_f32(x); }
    static Float load(const float *p) { return vld1q_f32(p); }
    static Int load(const int32_t *p) { return vld1q_s32(p); }
    static Bytes load_bytes(const int8_t *p) { return vld1q_s8(p); }
    static Float load_whole(const int8_t *p) {
        int32_t four;
        __builtin_memcpy(&four, p, sizeof four);
        const int16x8_t words = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
        return vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
    }
    static void store(float *p, Float x) { vst1q_f32(p, x); }
    static void store_anywhere(float *p, Float x) { vst1q_f32(p, x); }
    static Sums start(const int32_t *) { return vdupq_n_s32(0); }
    static States load_states(const uint8_t *p, size_t = 0) {
        int32_t four;
        __builtin_memcpy(&four, p, sizeof four);
        return vreinterpretq_s8_s32(vdupq_n_s32(four));
    }
    static Int dot(Int sum, States h, Bytes w) { return vdotq_s32(sum, h, w); }
    static Int of_row(Int sums, int) { return sums; }
    static Float to_float(Int x) { return vcvtq_f32_s32(x); }
    static Float add(Float a, Float b) { return vaddq_f32(a, b); }
    static Float sub(Float a, Float b) { return vsubq_f32(a, b); }
    static Float mul(Float a, Float b) { return vmulq_f32(a, b); }
    static Float fma(Float a, Float b, Float c) { return vfmaq_f32(c, a, b); }
    static Float min(Float a, Float b) { return vminq_f32(a, b); }
    static Float max(Float a, Float b) { return vmaxq_f32(a, b); }
    // x times 2^n, n in the lowest bits of `above`.
    static Float scale_by_low_bits(Float x, Float above) {
        const Int exponent = vshlq_n_s32(vreinterpretq_s32_f32(above), 23);
        return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(x), exponent));
    }
    // 1 / x to 1e-5 relative: an estimate of 8 bits and one step of Newton, which doubles them.
    static Float reciprocal(Float x) {
        const Float r = vrecpeq_f32(x);
        return vmulq_f32(r, vrecpsq_f32(x, r));
    }
    static void store_states(uint8_t *p, Float h) {
        const int16x4_t words = vqmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(h, H_SCALE)));
        const int8x8_t bytes = vqmovn_s16(vcombine_s16(words, words));
        vst1_lane_s32(reinterpret_cast<int32_t *>(p), vreinterpret_s32_s8(bytes), 0);
    }
};

#if defined(__ARM_FEATURE_MATMUL_INT8)

// `smmla` multiplies eight states of two rows by eight weights of two units: of four units there are two.
struct NeonMatrix : Neon {
    using Bytes = int8x16x2_t;
    using Sums = int32x4x2_t;  // of each two units: both of the first row, both of the second
    static constexpr int TILE = 6;  // 24 sums, three pairs of rows and two weights of 32 registers
    static constexpr int ROWS = 2, DEPTH = 8;

    static Sums start(const int32_t *) { return {{vdupq_n_s32(0), vdupq_n_s32(0)}}; }
    static Bytes load_bytes(const int8_t *p) { return {{vld1q_s8(p), vld1q_s8(p + 16)}}; }
    // Of a row and the one that lies `apart` bytes behind it.
    static States load_states(const uint8_t *p, size_t apart) {
        const int8_t *row = reinterpret_cast<const int8_t *>(p);
        return vcombine_s8(vld1_s8(row), vld1_s8(row + apart));
    }
    static Sums dot(Sums sums, States h, Bytes w) {
        return {{vmmlaq_s32(sums.val[0], h, w.val[0]), vmmlaq_s32(sums.val[1], h, w.val[1])}};
    }
    static Int of_row(Sums sums, int row) {
        return row == 0 ? vcombine_s32(vget_low_s32(sums.val[0]), vget_low_s32(sums.val[1]))
                        : vcombine_s32(vget_high_s32(sums.val[0]), vget_high_s32(sums.val[1]));
    }
};

#endif

}  // namespace
}  // namespace sluice
