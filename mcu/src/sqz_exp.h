/* What SOFTMAX and LOG_SOFTMAX share: exponentials and a reciprocal in fixed point, bit for bit those of the gemmlowp
 * library, which TFLite's reference kernels use.
 *
 * Qm.n below means an int32 that stands for value / 2^n, with m integer bits.
 */
#ifndef SQZ_EXP_H
#define SQZ_EXP_H
#include "sqz_requantize.h"

SQZ_FOR_SIZE

#define SQZ_ONE INT32_MAX /* 1 in Q0.31, as near as it comes */
#define SQZ_SUM_BITS 12   /* sums of exponentials are Q12.19 */

/* x / 2^exponent for x >= 0 up to the largest, halves up; exponent > 0. */
static uint32_t sqz_divide(int32_t x, int exponent) {
    return ((uint32_t)x + (1u << (exponent - 1))) >> exponent;
}

/* x * 2^exponent, saturating. */
static int32_t sqz_shift_left(int32_t x, int exponent) {
    const int32_t limit = INT32_MAX >> exponent;
    return x > limit ? INT32_MAX : x < -limit ? INT32_MIN : x * (1 << exponent);
}

/* exp(x) for -1/4 <= x < 0, both Q0.31: the series around -1/8. */
static int32_t sqz_exp_of_quarter(int32_t x) {
    const int32_t exp_of_minus_eighth = 1895147668, third = 715827883;
    const int32_t d = x + (1 << 28);
    const int32_t d2 = sqz_high_mul(d, d), d3 = sqz_high_mul(d2, d), d4 = sqz_high_mul(d2, d2);
    const int32_t tail = sqz_high_mul(sqz_shift_right(d4, 2) + d3, third) + d2;
    return exp_of_minus_eighth + sqz_high_mul(exp_of_minus_eighth, d + sqz_shift_right(tail, 1));
}

/* exp(x) for x <= 0 in Q5.26; the result is Q0.31. */
static int32_t sqz_exp_of_negative(int32_t x) {
    static const int32_t factors[] = {/* exp(-2^k), k = -2...4 */
                                      1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t quarter = 1 << 24;
    if (x == 0) {
        return SQZ_ONE;
    }
    const int32_t part = (x & (quarter - 1)) - quarter; /* x = part - whole, part in [-1/4, 0) */
    const int32_t whole = part - x;
    int32_t result = sqz_exp_of_quarter(part * (1 << 5));
    for (int k = 0; k < 7; ++k) {
        if (whole & (quarter << k)) {
            result = sqz_high_mul(result, factors[k]);
        }
    }
    return result;
}

/* 1 / (1 + x) for 0 <= x < 1, both Q0.31: three Newton steps from 48/17 - 32/17 d, d = (1 + x) / 2. */
static int32_t sqz_reciprocal(int32_t x) {
    const int32_t d = (int32_t)(((int64_t)x + SQZ_ONE + 1) / 2);
    int32_t r = 1515870810 + sqz_high_mul(d, -1010580540); /* Q2.29 */
    for (int k = 0; k < 3; ++k) {
        const int32_t rest = (1 << 29) - sqz_high_mul(d, r);
        r += sqz_shift_left(sqz_high_mul(r, rest), 2);
    }
    return sqz_shift_left(r, 1);
}

/* What a difference from the largest, no further than diff_min, stands for, in Q5.26. */
static int32_t sqz_scaled_difference(const sqz_softmax *softmax, int difference) {
    return sqz_high_mul(difference * (1 << softmax->shift), softmax->multiplier);
}

static int32_t sqz_exp_of_difference(const sqz_softmax *softmax, int difference) {
    return sqz_exp_of_negative(sqz_scaled_difference(softmax, difference));
}

static int sqz_largest_of(const int8_t *in, unsigned count) {
    int largest = in[0];
    for (unsigned c = 1; c < count; ++c) {
        largest = in[c] > largest ? in[c] : largest;
    }
    return largest;
}
#endif
