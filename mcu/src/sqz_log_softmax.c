/* LOG_SOFTMAX in fixed point, the arithmetic of TFLite's int8 reference kernel bit for bit. */
#include "sqz_exp.h"

#define SQRT_HALF 1518500250      /* Q0.31 */
#define ROOT_OF_THAT 1805811301   /* 2^-1/4 in Q0.31 */
#define LOG_2 1488522236          /* Q0.31 */
#define QUARTER (1 << 23)         /* Q6.25 */
#define FARTHEST (-(17 * (1 << 26))) /* Q5.26: what is so far below the largest is -128 in any case */

/* Bits in front of the highest that is set; x > 0. */
static int leading_zeros(int32_t x) {
    int count = 0;
    for (uint32_t rest = (uint32_t)x; rest < 1u << 31; rest <<= 1) {
        ++count;
    }
    return count;
}

static int32_t smaller_of(int32_t a, int32_t b) {
    return a < b ? a : b;
}

static int32_t larger_of(int32_t a, int32_t b) {
    return a > b ? a : b;
}

/* log(1 + x) of r = 2^-1/4 (1 + x), 2^-1/2 <= r < 1 in Q0.31, in Q6.25: a fraction of two polynomials. */
static int32_t log_near_one(int32_t r) {
    const int32_t p = (int32_t)(((int64_t)r + ROOT_OF_THAT + 1) / 2), q = 2 * (r - ROOT_OF_THAT);
    const int32_t square = sqz_high_mul(q, q);
    const int32_t above = sqz_high_mul(q, r) + sqz_high_mul(sqz_high_mul(q, square), 117049297);
    const int32_t inner = 1057819769 + q + sqz_high_mul(127690142, square);
    const int32_t below = sqz_high_mul(p, inner) + sqz_high_mul(638450708, q);
    return sqz_high_mul(sqz_shift_right(above, 6), sqz_reciprocal(below));
}

/* log(x) in Q5.26 for x >= 1 in Q12.19: a power of two, or one and a half powers, is taken out. */
static int32_t log_of(int32_t x) {
    const int zeros = leading_zeros(x);
    const int32_t a = sqz_shift_left(sqz_high_mul(sqz_shift_left(x, zeros - 1), SQRT_HALF), 1);
    const int32_t power_a = (SQZ_SUM_BITS - zeros) * (1 << 25) + QUARTER;
    const int zeros_b = leading_zeros(sqz_high_mul(x, SQRT_HALF)) - 1;
    const int32_t b = sqz_shift_left(x, zeros_b);
    const int32_t power_b = (SQZ_SUM_BITS - zeros_b) * (1 << 25) - QUARTER;
    return sqz_shift_left(sqz_high_mul(larger_of(power_a, power_b), LOG_2) + log_near_one(smaller_of(a, b)), 1);
}

static void log_softmax_pixel(const sqz_softmax *softmax, const int8_t *in, int8_t *out) {
    const int largest = sqz_largest_of(in, softmax->channels);
    uint32_t sum = 0;
    for (unsigned c = 0; c < softmax->channels; ++c) {
        const int difference = in[c] - largest;
        if (difference >= softmax->diff_min) {
            sum += sqz_divide(sqz_exp_of_difference(softmax, difference), SQZ_SUM_BITS);
        }
    }
    const int32_t log_of_sum = log_of((int32_t)sum);
    for (unsigned c = 0; c < softmax->channels; ++c) {
        const int difference = in[c] - largest;
        int32_t scaled = FARTHEST;
        if (difference >= softmax->diff_min) {
            scaled = larger_of(scaled, sqz_scaled_difference(softmax, difference));
        }
        out[c] = sqz_clamp(sqz_shift_right(scaled - log_of_sum, 22) + INT8_MAX, INT8_MIN, INT8_MAX);
    }
}

void sqz_log_softmax_row(const void *params, const sqz_rows *rows) {
    const sqz_softmax *softmax = params;
    for (unsigned x = 0; x < softmax->width; ++x) {
        const size_t at = (size_t)x * softmax->channels;
        log_softmax_pixel(softmax, rows->in[0] + at, rows->out + at);
    }
}
