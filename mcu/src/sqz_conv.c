/* CONV_2D: the readable reference, which the fast kernels are compared with. No scratch. */
#include "sqz_conv.h"

void sqz_conv_row(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    for (unsigned x = 0; x < conv->out_width; ++x) {
        int8_t *pixel = rows->out + (size_t)x * conv->out_stride;
        for (unsigned o = 0; o < conv->out_channels; ++o) {
            pixel[o] = sqz_requantize(&conv->requant, sqz_conv_sum(conv, rows, x, o), o);
        }
    }
}
