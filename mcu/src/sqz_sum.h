/* Sums and differences of two maps: the row of ADD and of SUB, each with its signs as constants. TFLite takes off what it has
 * scaled and rounded, which is not the same as adding a negative. */
#ifndef SQZ_SUM_H
#define SQZ_SUM_H
#include "sqz_dsp.h"
#include "sqz_requantize.h"

#define LEFT_SHIFT 20 /* headroom that TFLite gives int8 before scaling */

/* Where several are added at once: `some` adds LANES of them. */
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

#define LANES 4u

/* x * multiplier / 2^(31 - shift), rounded twice; TFLite scales down only: a shift is never positive. */
static inline int32x4_t scaled(int32x4_t x, int32_t multiplier, int8_t shift) {
    const int32x4_t high = vqrdmulhq_n_s32(x, multiplier), negative = vshrq_n_s32(high, 31);
    return vrshlq_n_s32(vaddq_s32(high, vandq_s32(negative, vdupq_n_s32(shift ? -1 : 0))), shift);
}

static inline int32x4_t input(const int8_t *from, int32_t zero_point, int32_t multiplier, int8_t shift) {
    return scaled(vshlq_n_s32(vsubq_n_s32(vldrbq_s32(from), zero_point), LEFT_SHIFT), multiplier, shift);
}

static inline void some(const sqz_add *add, const int8_t *a, const int8_t *b, int8_t *out, int sign_a, int sign_b) {
    const int32x4_t first = input(a, add->zero_point_a, add->multiplier_a, add->shift_a);
    const int32x4_t second = input(b, add->zero_point_b, add->multiplier_b, add->shift_b);
    const int32x4_t sum = sign_a < 0 ? vsubq_s32(second, first) : sign_b < 0 ? vsubq_s32(first, second)
                                                                             : vaddq_s32(first, second);
    const int32x4_t q = vaddq_n_s32(scaled(sum, add->multiplier_out, add->shift_out), add->zero_point_out);
    vstrbq_s32(out, vminq_s32(vmaxq_s32(q, vdupq_n_s32(add->lowest)), vdupq_n_s32(add->highest)));
}

#elif defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>

#define LANES 8u

static inline int32x4_t scaled(int32x4_t x, int32_t multiplier, int8_t shift) {
    const int32x4_t high = vqrdmulhq_n_s32(x, multiplier), negative = vshrq_n_s32(high, 31);
    return vrshlq_s32(vaddq_s32(high, vandq_s32(negative, vdupq_n_s32(shift ? -1 : 0))), vdupq_n_s32(shift));
}

static inline int16x8_t input(const int8_t *from, int8_t zero_point) {
    return vsubq_s16(vmovl_s8(vld1_s8(from)), vdupq_n_s16(zero_point));
}

/* Four sums. */
static inline int32x4_t four(const sqz_add *add, int16x4_t a, int16x4_t b, int sign_a, int sign_b) {
    const int32x4_t first = scaled(vshlq_n_s32(vmovl_s16(a), LEFT_SHIFT), add->multiplier_a, add->shift_a);
    const int32x4_t second = scaled(vshlq_n_s32(vmovl_s16(b), LEFT_SHIFT), add->multiplier_b, add->shift_b);
    const int32x4_t sum = sign_a < 0 ? vsubq_s32(second, first) : sign_b < 0 ? vsubq_s32(first, second)
                                                                             : vaddq_s32(first, second);
    return scaled(sum, add->multiplier_out, add->shift_out);
}

static inline void some(const sqz_add *add, const int8_t *a, const int8_t *b, int8_t *out, int sign_a, int sign_b) {
    const int16x8_t x = input(a, add->zero_point_a), y = input(b, add->zero_point_b);
    const int32x4_t low = four(add, vget_low_s16(x), vget_low_s16(y), sign_a, sign_b);
    const int32x4_t high = four(add, vget_high_s16(x), vget_high_s16(y), sign_a, sign_b);
    const int16x8_t both = vcombine_s16(vqmovn_s32(low), vqmovn_s32(high));
    const int8x8_t q = vqmovn_s16(vqaddq_s16(both, vdupq_n_s16(add->zero_point_out)));
    vst1_s8(out, vmin_s8(vmax_s8(q, vdup_n_s8(add->lowest)), vdup_n_s8(add->highest)));
}

#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>

#define LANES 8u
#define SQZ_INLINE static inline __attribute__((always_inline))

/* As sqz_shift_right, by what is TFLite's shift negated. */
SQZ_INLINE v128_t shifted(v128_t x, int8_t shift) {
    if (!shift) {
        return x;
    }
    const v128_t rounding = wasm_i32x4_add(wasm_i32x4_splat(1 << (-shift - 1)), wasm_i32x4_shr(x, 31));
    return wasm_i32x4_shr(wasm_i32x4_add(x, rounding), (unsigned)-shift);
}

/* sqz_high_mul takes the product's bits from 31 on: the lower words of its halves once they are shifted, by any sign. */
SQZ_INLINE v128_t scaled(v128_t x, int32_t multiplier, int8_t shift) {
    const v128_t by = wasm_i32x4_splat(multiplier), half = wasm_i64x2_splat(1 << 30);
    const v128_t low = wasm_u64x2_shr(wasm_i64x2_add(wasm_i64x2_extmul_low_i32x4(x, by), half), 31);
    const v128_t high = wasm_u64x2_shr(wasm_i64x2_add(wasm_i64x2_extmul_high_i32x4(x, by), half), 31);
    return shifted(wasm_i32x4_shuffle(low, high, 0, 2, 4, 6), shift);
}

/* The same of x * 2^LEFT_SHIFT, |x| < 256: (x * multiplier + 2^10) >> 11, from both halves of the multiplier. */
SQZ_INLINE v128_t scaled_input(v128_t x, int32_t multiplier, int8_t shift) {
    const v128_t high = wasm_i32x4_mul(x, wasm_i32x4_splat(multiplier >> 16));
    const v128_t low = wasm_i32x4_mul(x, wasm_i32x4_splat(multiplier & 0xFFFF));
    const v128_t rest = wasm_i32x4_shr(wasm_i32x4_add(low, wasm_i32x4_splat(1 << 10)), 11);
    return shifted(wasm_i32x4_add(wasm_i32x4_shl(high, 16 - 11), rest), shift);
}

SQZ_INLINE v128_t input(const int8_t *from, int8_t zero_point) {
    return wasm_i16x8_sub(wasm_i16x8_load8x8(from), wasm_i16x8_splat(zero_point));
}

/* Four sums. */
SQZ_INLINE v128_t four(const sqz_add *add, v128_t a, v128_t b, int sign_a, int sign_b) {
    const v128_t first = scaled_input(a, add->multiplier_a, add->shift_a);
    const v128_t second = scaled_input(b, add->multiplier_b, add->shift_b);
    const v128_t sum = sign_a < 0 ? wasm_i32x4_sub(second, first) : sign_b < 0 ? wasm_i32x4_sub(first, second)
                                                                              : wasm_i32x4_add(first, second);
    return scaled(sum, add->multiplier_out, add->shift_out);
}

SQZ_INLINE void some(const sqz_add *add, const int8_t *a, const int8_t *b, int8_t *out, int sign_a, int sign_b) {
    const v128_t x = input(a, add->zero_point_a), y = input(b, add->zero_point_b);
    const v128_t low = four(add, wasm_i32x4_extend_low_i16x8(x), wasm_i32x4_extend_low_i16x8(y), sign_a, sign_b);
    const v128_t high = four(add, wasm_i32x4_extend_high_i16x8(x), wasm_i32x4_extend_high_i16x8(y), sign_a, sign_b);
    const v128_t both = wasm_i16x8_narrow_i32x4(low, high);
    const v128_t q = wasm_i16x8_add_sat(both, wasm_i16x8_splat(add->zero_point_out));
    const v128_t raised = wasm_i8x16_max(wasm_i8x16_narrow_i16x8(q, q), wasm_i8x16_splat(add->lowest));
    wasm_v128_store64_lane(out, wasm_i8x16_min(raised, wasm_i8x16_splat(add->highest)), 0);
}

#endif

#if defined(LANES)

static inline SQZ_CODE void sqz_sum_run(const sqz_add *by, const int8_t *a, const int8_t *b, int8_t *out, unsigned count,
                                        int sign_a, int sign_b) {
    const sqz_add add = *by; /* what is stored cannot change it */
    for (; count >= LANES; count -= LANES, a += LANES, b += LANES, out += LANES) {
        some(&add, a, b, out, sign_a, sign_b);
    }
    if (count) {
        int8_t rest[3][LANES] = {0};
        for (unsigned i = 0; i < count; ++i) {
            rest[0][i] = a[i];
            rest[1][i] = b[i];
        }
        some(&add, rest[0], rest[1], rest[2], sign_a, sign_b);
        for (unsigned i = 0; i < count; ++i) {
            out[i] = rest[2][i];
        }
    }
}

#else

/* How one of the three values is scaled: x * multiplier / 2^(31 + right), rounded twice. TFLite scales down only. */
typedef struct scale {
    int32_t multiplier, half, away; /* away: -1 where halves go away from zero, 0 where there is no shift */
    int right;
} scale;

static inline scale scale_of(int32_t multiplier, int8_t shift) {
    return (scale){multiplier, shift ? 1 << (-shift - 1) : 0, shift ? -1 : 0, -shift};
}

/* |x| is below 2^30. */
static inline int32_t scaled(int32_t x, const scale *by) {
#if defined(SQZ_DSP)
    int32_t high;
    __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(x * 2), "r"(by->multiplier));
#else
    const int32_t high = sqz_high_mul(x, by->multiplier);
#endif
    return (high + by->half + (by->away & high >> 31)) >> by->right;
}

static inline SQZ_CODE void sqz_sum_run(const sqz_add *add, const int8_t *a, const int8_t *b, int8_t *out, unsigned count,
                                        int sign_a, int sign_b) {
    const scale of_a = scale_of(add->multiplier_a, add->shift_a), of_b = scale_of(add->multiplier_b, add->shift_b);
    const scale of_out = scale_of(add->multiplier_out, add->shift_out);
    const int32_t zero_a = add->zero_point_a * (1 << LEFT_SHIFT), zero_b = add->zero_point_b * (1 << LEFT_SHIFT);
    const int8_t zero_out = add->zero_point_out, lowest = add->lowest, highest = add->highest;
    for (; count; --count) {
        const int32_t sum =
            sign_a * scaled(*a++ * (1 << LEFT_SHIFT) - zero_a, &of_a) +
                            sign_b * scaled(*b++ * (1 << LEFT_SHIFT) - zero_b, &of_b);
        *out++ = sqz_clamp(scaled(sum, &of_out) + zero_out, lowest, highest);
    }
}

#endif

static inline void sqz_sum_row(const void *params, const sqz_rows *rows, int sign_a, int sign_b) {
    const sqz_add *add = params;
    const int8_t *a = rows->in[0], *b = add->second.constant ? add->second.constant : rows->in[1];
    if (add->out_stride == add->channels && add->second.step) {
        sqz_sum_run(add, a, b, rows->out, (unsigned)add->width * add->channels, sign_a, sign_b);
        return;
    }
    int8_t *out = rows->out;
    for (unsigned x = 0; x < add->width; ++x, a += add->channels, b += add->second.step, out += add->out_stride) {
        sqz_sum_run(add, a, b, out, add->channels, sign_a, sign_b);
    }
}

#endif
