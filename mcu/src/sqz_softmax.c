/* SOFTMAX in fixed point, the arithmetic of TFLite's int8 reference kernel bit for bit (exponential and reciprocal are
 * those of the gemmlowp library).
 *
 * TFLite ends the program where the exponentials of a pixel, relative to the largest, add up to 512 or more: some 512
 * nearly equal classes. Then no probability reaches half a step of the output, 1 / 512, and every output is 0: -128.
 *
 * Qm.n below means an int32 that stands for value / 2^n, with m integer bits.
 */
#include "sqz_requantize.h"

#include <string.h>

#define ONE INT32_MAX       /* 1 in Q0.31, as near as it comes */
#define SUM_BITS 12         /* the sum is Q12.19 */
#define SUM_LIMIT (1u << 28) /* 512 in Q12.19 */

/* x / 2^exponent for x >= 0 up to the largest, halves up; exponent > 0. */
static uint32_t divide(int32_t x, int exponent) {
    return ((uint32_t)x + (1u << (exponent - 1))) >> exponent;
}

/* x * 2^exponent, saturating. */
static int32_t shift_left(int32_t x, int exponent) {
    const int32_t limit = INT32_MAX >> exponent;
    return x > limit ? INT32_MAX : x < -limit ? INT32_MIN : x * (1 << exponent);
}

/* exp(x) for -1/4 <= x < 0, both Q0.31: the series around -1/8. */
static int32_t exp_of_quarter(int32_t x) {
    const int32_t exp_of_minus_eighth = 1895147668, third = 715827883;
    const int32_t d = x + (1 << 28);
    const int32_t d2 = sqz_high_mul(d, d), d3 = sqz_high_mul(d2, d), d4 = sqz_high_mul(d2, d2);
    const int32_t tail = sqz_high_mul(sqz_shift_right(d4, 2) + d3, third) + d2;
    return exp_of_minus_eighth + sqz_high_mul(exp_of_minus_eighth, d + sqz_shift_right(tail, 1));
}

/* exp(x) for x <= 0 in Q5.26; the result is Q0.31. */
static int32_t exp_of_negative(int32_t x) {
    static const int32_t factors[] = {/* exp(-2^k), k = -2...4 */
                                      1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t quarter = 1 << 24;
    if (x == 0) {
        return ONE;
    }
    const int32_t part = (x & (quarter - 1)) - quarter; /* x = part - whole, part in [-1/4, 0) */
    const int32_t whole = part - x;
    int32_t result = exp_of_quarter(part * (1 << 5));
    for (int k = 0; k < 7; ++k) {
        if (whole & (quarter << k)) {
            result = sqz_high_mul(result, factors[k]);
        }
    }
    return result;
}

/* 1 / (1 + x) for 0 <= x < 1, both Q0.31: three Newton steps from 48/17 - 32/17 d, d = (1 + x) / 2. */
static int32_t reciprocal(int32_t x) {
    const int32_t d = (int32_t)(((int64_t)x + ONE + 1) / 2);
    int32_t r = 1515870810 + sqz_high_mul(d, -1010580540); /* Q2.29 */
    for (int k = 0; k < 3; ++k) {
        const int32_t rest = (1 << 29) - sqz_high_mul(d, r);
        r += shift_left(sqz_high_mul(r, rest), 2);
    }
    return shift_left(r, 1);
}

static int32_t exp_of_difference(const sqz_softmax *softmax, int difference) {
    return exp_of_negative(sqz_high_mul(difference * (1 << softmax->shift), softmax->multiplier));
}

/* Σ exp(in - largest) in Q12.19, or SUM_LIMIT if it is that large. */
static uint32_t sum_of_exps(const sqz_softmax *softmax, const int8_t *in, int largest) {
    uint32_t sum = 0;
    for (unsigned c = 0; c < softmax->channels && sum < SUM_LIMIT; ++c) {
        const int difference = in[c] - largest;
        if (difference >= softmax->diff_min) {
            sum += divide(exp_of_difference(softmax, difference), SUM_BITS);
        }
    }
    return sum < SUM_LIMIT ? sum : SUM_LIMIT;
}

static int largest_of(const int8_t *in, unsigned count) {
    int largest = in[0];
    for (unsigned c = 1; c < count; ++c) {
        largest = in[c] > largest ? in[c] : largest;
    }
    return largest;
}

static void softmax_pixel(const sqz_softmax *softmax, const int8_t *in, int8_t *out) {
    const int largest = largest_of(in, softmax->channels);
    uint32_t sum = sum_of_exps(softmax, in, largest);
    if (sum >= SUM_LIMIT) {
        memset(out, INT8_MIN, softmax->channels);
        return;
    }
    int bits = SUM_BITS; /* the sum is in [2^bits, 2^(bits + 1)) */
    while (sum < 1u << 31) {
        sum <<= 1;
        --bits;
    }
    const int32_t scale = reciprocal((int32_t)(sum - (1u << 31)));
    for (unsigned c = 0; c < softmax->channels; ++c) {
        const int difference = in[c] - largest;
        int32_t q = 0;
        if (difference >= softmax->diff_min) {
            const int32_t e = exp_of_difference(softmax, difference);
            q = (int32_t)divide(sqz_high_mul(scale, e), bits + 31 - 8);
        }
        out[c] = sqz_clamp(q + INT8_MIN, INT8_MIN, INT8_MAX);
    }
}

void sqz_softmax_row(const void *params, const sqz_rows *rows) {
    const sqz_softmax *softmax = params;
    for (unsigned x = 0; x < softmax->width; ++x) {
        const size_t at = (size_t)x * softmax->channels;
        softmax_pixel(softmax, rows->in[0] + at, rows->out + at);
    }
}
