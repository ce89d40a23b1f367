/* ADD of two maps of one shape. */
#include "sqz_requantize.h"

#define LEFT_SHIFT 20 /* headroom that TFLite gives int8 before scaling */

/* TFLite scales down only: a shift is never positive. */
static int32_t scaled(int32_t x, int32_t multiplier, int shift) {
    return sqz_shift_right(sqz_high_mul(x, multiplier), -shift);
}

void sqz_add_row(const void *params, const sqz_rows *rows) {
    const sqz_add *add = params;
    const int8_t *a = rows->in[0], *b = rows->in[1];
    for (unsigned x = 0; x < add->width; ++x) {
        int8_t *out = rows->out + (size_t)x * add->out_stride;
        for (unsigned c = 0; c < add->channels; ++c) {
            const int32_t a_shifted = (*a++ - add->zero_point_a) * (1 << LEFT_SHIFT);
            const int32_t b_shifted = (*b++ - add->zero_point_b) * (1 << LEFT_SHIFT);
            const int32_t sum = scaled(a_shifted, add->multiplier_a, add->shift_a) +
                                scaled(b_shifted, add->multiplier_b, add->shift_b);
            const int32_t q = scaled(sum, add->multiplier_out, add->shift_out) + add->zero_point_out;
            out[c] = sqz_clamp(q, add->lowest, add->highest);
        }
    }
}
