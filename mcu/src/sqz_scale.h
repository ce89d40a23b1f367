/* sqz_requantize where a channel's scale is used for several sums: what they share is found once, and rounding takes the
 * fewest instructions where the scale is a usual one. */
#ifndef SQZ_SCALE_H
#define SQZ_SCALE_H
#include "sqz_requantize.h"

typedef struct sqz_scale {
    int32_t multiplier;
    int shift, usual; /* whether it is a shift to the right by a multiplier of at least 2^30, as nearly all are */
} sqz_scale;

static inline sqz_scale sqz_scale_of(const sqz_requant *to, unsigned c) {
    const unsigned i = c * to->step;
    const int32_t multiplier = to->multiplier ? to->multiplier[i] : 1 << 30; /* by which sqz_high_mul halves */
    const int shift = to->shift[i];
    return (sqz_scale){multiplier, shift, shift < 0 && multiplier >= 1 << 30};
}

/* sqz_high_mul of a multiplier of at least 2^30: with 2 * multiplier - 2^32, which is an int32, the product's upper word
 * is the result but for x and one bit. */
static inline int32_t sqz_high_mul_usual(int32_t x, int32_t multiplier) {
#if defined(SQZ_HALVES)
    return sqz_high_mul(x, multiplier);
#else
    const int64_t product = (int64_t)x * (int32_t)(2u * (uint32_t)multiplier);
    return (int32_t)(product >> 32) + x + (int32_t)((uint32_t)product >> 31);
#endif
}

/* sqz_requantize by a scale; of a usual one (x + 2^(n - 1)) >> n is ((x >> (n - 1)) + 1) >> 1. */
static inline int8_t sqz_by_scale(const sqz_requant *to, const sqz_scale *scale, int32_t sum) {
    int32_t q;
    if (scale->usual) {
        q = sqz_high_mul_usual(sum, scale->multiplier);
        q = (((q + (q >> 31)) >> (-1 - scale->shift)) + 1) >> 1;
    } else {
        q = sqz_multiply(sum, scale->multiplier, scale->shift);
    }
    return sqz_clamp(q + to->zero_point, to->lowest, to->highest);
}
#endif
