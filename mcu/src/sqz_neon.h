/* What the kernels for 64-bit ARM share: which instructions there are, and from int32 sums to int8, eight channels at once.
 *
 * ARMv8.0 has NEON; later processors have the dot product, SDOT, too, and then the product of matrices, SMMLA. What the
 * program's processor has is told by the compiler or, on Linux and Android, by the system: one program is fast on all of
 * them. The two instructions are written as assembly, for functions that say SQZ_WITH_DOT or SQZ_WITH_MATRIX: Clang before 16
 * has no intrinsics for these. */
#ifndef SQZ_NEON_H
#define SQZ_NEON_H
#include "sqz_record.h"

#if defined(__aarch64__) && defined(__ARM_NEON) && defined(__GNUC__) && !defined(__ARM_BIG_ENDIAN)
#define SQZ_NEON 1
#include <arm_neon.h>

enum { SQZ_NEON_BASE, SQZ_NEON_DOT, SQZ_NEON_MATRIX };

/* The best of these that the processor has. */
int sqz_neon_level(void);

/* A loop of few turns, known when compiled, is written out: then what it indexes lies in registers. */
#if defined(__clang__)
#define SQZ_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SQZ_UNROLL _Pragma("GCC unroll 8")
#endif

/* Functions with these call inline functions for the program's processor, so they must have all of its extensions, too. */
#if defined(__clang__)
#define SQZ_WITH(extension) __attribute__((target(#extension)))
#else
#define SQZ_WITH(extension) __attribute__((target("arch=armv8.2-a+crypto+fp16+rcpc+" #extension)))
#endif
#if defined(__ARM_FEATURE_DOTPROD)
#define SQZ_WITH_DOT
#else
#define SQZ_WITH_DOT SQZ_WITH(dotprod)
#endif
#if defined(__ARM_FEATURE_MATMUL_INT8)
#define SQZ_WITH_MATRIX
#elif defined(__ARM_FEATURE_DOTPROD) && !defined(__clang__)
#define SQZ_WITH_MATRIX SQZ_WITH(dotprod+i8mm)
#else
#define SQZ_WITH_MATRIX SQZ_WITH(i8mm)
#endif

#define SQZ_INLINE static inline __attribute__((always_inline))

/* Four int32, from any address. */
SQZ_INLINE int32x4_t sqz_neon_words(const int8_t *from) {
    return vreinterpretq_s32_s8(vld1q_s8(from));
}

/* sum[i] += the products of four bytes of `a` from 4 * i on and those of `b` from 4 * lane on. */
#define SQZ_NEON_DOT_LANE(sum, a, b, lane) \
    __asm__("sdot %0.4s, %1.16b, %2.4b[" #lane "]" : "+w"(sum) : "w"(a), "w"(b))

/* The same of four bytes of `b` from 4 * i on. */
SQZ_INLINE int32x4_t sqz_neon_dot(int32x4_t sum, int8x16_t a, int8x16_t b) {
    __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(a), "w"(b));
    return sum;
}

/* sum[2 * i + j] += the products of eight bytes of `a` from 8 * i on and of `b` from 8 * j on. */
SQZ_INLINE int32x4_t sqz_neon_matrix(int32x4_t sum, int8x16_t a, int8x16_t b) {
    __asm__("smmla %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(a), "w"(b));
    return sum;
}

/* How the sums of eight channels become int8; shifts are to the right, 1 to 31 (here negative). */
typedef struct sqz_neon_scale {
    int32x4_t multiplier[2], shift[2];
    int16x8_t zero_point;
    int8x16_t lowest, highest;
} sqz_neon_scale;

SQZ_INLINE void sqz_neon_limits(sqz_neon_scale *scale, const sqz_requant *to) {
    scale->zero_point = vdupq_n_s16(to->zero_point);
    scale->lowest = vdupq_n_s8(to->lowest);
    scale->highest = vdupq_n_s8(to->highest);
}

/* Shifts and multipliers of eight channels; where these are null all are 2^30. */
SQZ_INLINE void sqz_neon_factors(sqz_neon_scale *scale, const int8_t *shifts, const int8_t *multipliers) {
    const int16x8_t shift = vmovl_s8(vld1_s8(shifts));
    scale->shift[0] = vmovl_s16(vget_low_s16(shift));
    scale->shift[1] = vmovl_s16(vget_high_s16(shift));
    scale->multiplier[0] = scale->multiplier[1] = vdupq_n_s32(1 << 30);
    if (multipliers) {
        scale->multiplier[0] = sqz_neon_words(multipliers);
        scale->multiplier[1] = sqz_neon_words(multipliers + 16);
    }
}

/* SQRDMULH rounds as sqz_high_mul does. SRSHL rounds halves up, and they go away from zero: so 1 is taken from what is
 * negative before, as in sqz_shift_right. */
SQZ_INLINE int32x4_t sqz_neon_scaled(int32x4_t sum, int32x4_t multiplier, int32x4_t shift) {
    const int32x4_t product = vqrdmulhq_s32(sum, multiplier);
    return vrshlq_s32(vsraq_n_s32(product, product, 31), shift);
}

SQZ_INLINE int16x8_t sqz_neon_eight(const int32x4_t *sum, const sqz_neon_scale *scale) {
    const int32x4_t low = sqz_neon_scaled(sum[0], scale->multiplier[0], scale->shift[0]);
    const int32x4_t high = sqz_neon_scaled(sum[1], scale->multiplier[1], scale->shift[1]);
    return vqaddq_s16(vqmovn_high_s32(vqmovn_s32(low), high), scale->zero_point);
}

/* The int8 of eight channels of two pixels. */
SQZ_INLINE int8x16_t sqz_neon_two(const int32x4_t *first, const int32x4_t *second, const sqz_neon_scale *scale) {
    const int8x8_t low = vqmovn_s16(sqz_neon_eight(first, scale));
    const int8x16_t both = vqmovn_high_s16(low, sqz_neon_eight(second, scale));
    return vminq_s8(vmaxq_s8(both, scale->lowest), scale->highest);
}

#endif
#endif
