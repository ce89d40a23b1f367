/* DEPTHWISE_CONV_2D, any depth multiplier. No scratch. */
#include "sqz_requantize.h"

/* bias + Σ over the window of output pixel x for output channel o; outside the image every input is its zero point. */
static int32_t sum_of(const sqz_conv *conv, const sqz_rows *rows, unsigned x, unsigned o) {
    const unsigned i = o / (conv->out_channels / conv->in_channels);
    const int8_t *weight = conv->weights + o;
    int32_t sum = conv->bias[o];
    for (unsigned ky = 0; ky < conv->kernel_h; ++ky) {
        const int8_t *row = rows->in[ky * conv->dilation_h];
        for (unsigned kx = 0; kx < conv->kernel_w; ++kx, weight += conv->out_channels) {
            const int column = (int)(x * conv->stride_w + kx * conv->dilation_w) - conv->pad_left;
            const int inside = row && column >= 0 && column < conv->in_width;
            sum += *weight * (inside ? row[(size_t)column * conv->in_channels + i] : conv->input_zero_point);
        }
    }
    return sum;
}

void sqz_depthwise_row(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    for (unsigned x = 0; x < conv->out_width; ++x) {
        int8_t *pixel = rows->out + (size_t)x * conv->out_stride;
        for (unsigned o = 0; o < conv->out_channels; ++o) {
            pixel[o] = sqz_requantize(&conv->requant, sum_of(conv, rows, x, o), o);
        }
    }
}
