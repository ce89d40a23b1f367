/* What the kernels of convolution share: the sum of one output value, and the mean's last step. */
#ifndef SQZ_CONV_H
#define SQZ_CONV_H
#include "sqz_requantize.h"

/* Σ pixel · weights over in_channels; outside the image (pixel is null) every input is its zero point. */
static inline int32_t sqz_conv_dot(const sqz_conv *conv, const int8_t *pixel, const int8_t *weights) {
    int32_t sum = 0;
    for (unsigned i = 0; i < conv->in_channels; ++i) {
        sum += weights[i] * (pixel ? pixel[i] : conv->input_zero_point);
    }
    return sum;
}

/* bias + Σ over the window of output pixel x for output channel o. */
static inline int32_t sqz_conv_sum(const sqz_conv *conv, const sqz_rows *rows, unsigned x, unsigned o) {
    const size_t taps = (size_t)conv->kernel_h * conv->kernel_w;
    const int8_t *weights = conv->weights + o * taps * conv->in_channels;
    int32_t sum = conv->bias[o];
    for (unsigned ky = 0; ky < conv->kernel_h; ++ky) {
        const int8_t *row = rows->in[ky * conv->dilation_h];
        for (unsigned kx = 0; kx < conv->kernel_w; ++kx, weights += conv->in_channels) {
            const int column = (int)(x * conv->stride_w + kx * conv->dilation_w) - conv->pad_left;
            const int inside = row && column >= 0 && column < conv->in_width;
            sum += sqz_conv_dot(conv, inside ? row + (size_t)column * conv->in_channels : NULL, weights);
        }
    }
    return sum;
}

/* The last step of a convolution with its MEAN, in the firing that has an output: from the sums in `state` to int8. */
static inline void sqz_conv_mean_finish(const sqz_conv_mean *both, const sqz_rows *rows) {
    if (rows->out) {
        const int32_t zero = both->conv.requant.zero_point * (int32_t)both->pixels;
        const int32_t *sums = rows->state;
        for (unsigned o = 0; o < both->conv.out_channels; ++o) {
            rows->out[o] = sqz_requantize(&both->mean, sums[o] - zero, o);
        }
    }
}

#endif
