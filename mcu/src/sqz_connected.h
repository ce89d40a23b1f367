/* What the kernels of FULLY_CONNECTED share: from a sum to the int8 of the one output row. */
#ifndef SQZ_CONNECTED_H
#define SQZ_CONNECTED_H
#include "sqz_requantize.h"

/* magnitude * factor rounded to a double's 53 bits, then to an integer with halves away from zero; of any magnitude
 * below 2^31 and any factor of an sqz_exact_requant. */
SQZ_CODE int32_t sqz_exactly_scaled(uint32_t magnitude, uint32_t high, uint32_t low, int shift);

/* A factor made ready: all of it, and its first 32 bits with how far their product's upper word is shifted to the
 * right; 0 where only all of it will do. `below` are the bits shifted out. */
typedef struct sqz_factor {
    uint32_t high, low, first, below;
    int shift, right;
} sqz_factor;

static inline sqz_factor sqz_factor_of(const sqz_exact_requant *to, unsigned o) {
    const unsigned i = o * to->step;
    const uint32_t high = (uint32_t)to->high[i], low = (uint32_t)to->low[i];
    const int shift = to->shift[i], right = shift >= 54 && shift <= 83 ? shift - 53 : 0;
    return (sqz_factor){high, low, high << 10 | low >> 21, (1u << right) - 1, shift, right};
}

/* The same as sqz_exactly_scaled, mostly by the first bits: with those alone the upper word of a product is too small by
 * at most 1, rounding to a double included, which decides only where all bits below are ones once a half is added. */
static inline int32_t sqz_scaled(uint32_t magnitude, const sqz_factor *factor) {
    const uint32_t below = factor->below;
    const uint32_t rounded = (uint32_t)((uint64_t)magnitude * factor->first >> 32) + (below / 2 + 1);
    if ((~rounded & below) != 0) {
        return (int32_t)(rounded >> factor->right);
    }
    return sqz_exactly_scaled(magnitude, factor->high, factor->low, factor->shift);
}

/* Adds a row's sum for output o, and with the last row stores its int8. The factor is that of output 0 or, if each
 * has its own, is found here. */
static inline void sqz_connected_put(const sqz_fully_connected *fc, const sqz_rows *rows, unsigned o, int32_t sum,
                                     sqz_factor *factor) {
    const sqz_exact_requant *to = &fc->requant;
    int32_t *sums = rows->state;
    sum += rows->y ? sums[o] : fc->bias[o];
    if (rows->out) {
        if (to->step) {
            *factor = sqz_factor_of(to, o);
        }
        const uint32_t magnitude = sum < 0 ? 0u - (uint32_t)sum : (uint32_t)sum;
        const int32_t q = sqz_scaled(magnitude, factor);
        rows->out[o] = sqz_clamp((sum < 0 ? -q : q) + to->zero_point, to->lowest, to->highest);
    } else {
        sums[o] = sum;
    }
}

/* Runs the kernel of one pixel for each of a row, as if it were the only row of a map. */
static inline void sqz_connected_each(const void *params, const sqz_rows *rows, sqz_kernel pixel) {
    const sqz_fully_connected_each *each = params;
    const int8_t *in = rows->in[0];
    sqz_rows one = {.in = &in, .out = rows->out, .scratch = rows->scratch};
    for (unsigned x = 0; x < each->width; ++x, in += each->pixel.row_bytes, one.out += each->out_stride) {
        pixel(&each->pixel, &one);
    }
}
#endif
