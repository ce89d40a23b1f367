/* int32 sums to int8, exactly as TFLite's reference kernels round: twice.
 *
 * sqz_high_mul       x * multiplier / 2^31, halves up. gemmlowp's SaturatingRoundingDoublingHighMul, which saturates
 *                    only where both factors are -2^31; a multiplier never is.
 * sqz_shift_right    x / 2^exponent, halves away from zero. gemmlowp's RoundingDivideByPOT.
 * sqz_multiply       both: TFLite's MultiplyByQuantizedMultiplier with double rounding.
 *
 * Ranges: |x| * 2^shift < 2^31 where shift is positive, else |x| plus the half that rounds, 2^(-shift - 1), and what a
 * zero point adds, 2^7; the compiler proves that no sum of a model leaves them. 0 <= multiplier < 2^31,
 * -31 <= shift <= 30. Factors of sqz_high_mul may be negative: those of SOFTMAX are.
 * >> of a negative number is taken to be arithmetic, as in every compiler we know; sqz_stream.c asserts it.
 */
#ifndef SQZ_REQUANTIZE_H
#define SQZ_REQUANTIZE_H
#include "sqz_ops.h"

#if defined(__thumb__) && !defined(__thumb2__) && !defined(SQZ_HALVES)
#define SQZ_HALVES /* of a word are multiplied: the processor has no longer product */
#endif

static inline int32_t sqz_high_mul(int32_t x, int32_t multiplier) {
#if defined(SQZ_HALVES)
    const int32_t x_high = x >> 16, x_low = x & 0xFFFF, m_high = multiplier >> 16, m_low = multiplier & 0xFFFF;
    const int32_t middle = x_high * m_low + (int32_t)(((uint32_t)x_low * (uint32_t)m_low) >> 16);
    const int32_t rest = x_low * m_high + (middle & 0xFFFF); /* of the product's bits from 16 on; both may be negative */
    const int32_t high = x_high * m_high + (middle >> 16) + (rest >> 16);
    return high * 2 + (((rest & 0xFFFF) + 0x4000) >> 15);
#else
    return (int32_t)(((int64_t)x * multiplier + (1 << 30)) >> 31);
#endif
}

static inline int32_t sqz_shift_right(int32_t x, int exponent) {
    if (exponent == 0) {
        return x;
    }
    return (x + (1 << (exponent - 1)) + (x >> 31)) >> exponent;
}

static inline int32_t sqz_multiply(int32_t x, int32_t multiplier, int shift) {
    if (shift > 0) {
        return sqz_high_mul(x * (1 << shift), multiplier);
    }
    return sqz_shift_right(sqz_high_mul(x, multiplier), -shift);
}

/* sqz_multiply by 2^30, which is 1/2: all that a scale which is a power of two needs. */
static inline int32_t sqz_halve(int32_t x, int shift) {
    return shift > 0 ? x * (1 << (shift - 1)) : sqz_shift_right((x + 1) >> 1, -shift);
}

static inline int8_t sqz_clamp(int32_t x, int8_t lowest, int8_t highest) {
    return (int8_t)(x < lowest ? lowest : x > highest ? highest : x);
}

/* The int8 that channel c's sum becomes. */
static inline int8_t sqz_requantize(const sqz_requant *to, int32_t sum, unsigned c) {
    const unsigned i = c * to->step;
    const int shift = to->shift[i];
    const int32_t q = to->multiplier ? sqz_multiply(sum, to->multiplier[i], shift) : sqz_halve(sum, shift);
    return sqz_clamp(q + to->zero_point, to->lowest, to->highest);
}

#endif
