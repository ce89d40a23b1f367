/* SOFTMAX in fixed point, the arithmetic of TFLite's int8 reference kernel bit for bit.
 *
 * TFLite ends the program where the exponentials of a pixel, relative to the largest, add up to 512 or more: some 512
 * nearly equal classes. Then no probability reaches half a step of the output, 1 / 512, and every output is 0: -128.
 */
#include "sqz_exp.h"

#include <string.h>

#define SUM_LIMIT (1u << 28) /* 512 in Q12.19 */

/* Σ exp(in - largest) in Q12.19, or SUM_LIMIT if it is that large. */
static uint32_t sum_of_exps(const sqz_softmax *softmax, const int8_t *in, int largest) {
    uint32_t sum = 0;
    for (unsigned c = 0; c < softmax->channels && sum < SUM_LIMIT; ++c) {
        const int difference = in[c] - largest;
        if (difference >= softmax->diff_min) {
            sum += sqz_divide(sqz_exp_of_difference(softmax, difference), SQZ_SUM_BITS);
        }
    }
    return sum < SUM_LIMIT ? sum : SUM_LIMIT;
}

static void softmax_pixel(const sqz_softmax *softmax, const int8_t *in, int8_t *out) {
    const int largest = sqz_largest_of(in, softmax->channels);
    uint32_t sum = sum_of_exps(softmax, in, largest);
    if (sum >= SUM_LIMIT) {
        memset(out, INT8_MIN, softmax->channels);
        return;
    }
    int bits = SQZ_SUM_BITS; /* the sum is in [2^bits, 2^(bits + 1)) */
    while (sum < 1u << 31) {
        sum <<= 1;
        --bits;
    }
    const int32_t scale = sqz_reciprocal((int32_t)(sum - (1u << 31)));
    for (unsigned c = 0; c < softmax->channels; ++c) {
        const int difference = in[c] - largest;
        int32_t q = 0;
        if (difference >= softmax->diff_min) {
            const int32_t e = sqz_exp_of_difference(softmax, difference);
            q = (int32_t)sqz_divide(sqz_high_mul(scale, e), bits + 31 - 8);
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
