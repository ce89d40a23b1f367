/* CONV_2D: the readable reference, which the fast kernels are compared with. No scratch. */
#include "sqz_conv.h"
#include "sqz_dot.h"

/* Σ pixel · weights over in_channels; outside the image (pixel is null) every input is its zero point. */
static int32_t tap_sum(const sqz_conv *conv, const int8_t *pixel, const int8_t *weights) {
    if (pixel) {
        return sqz_dot(pixel, weights, conv->in_channels);
    }
    return conv->input_zero_point ? conv->input_zero_point * sqz_sum(weights, conv->in_channels) : 0;
}

/* Σ over one row of the window whose first column is `column`. Columns side by side are one run of bytes. */
static int32_t row_sum(const sqz_conv *conv, const int8_t *row, int column, const int8_t *weights) {
    const int end = column + (conv->kernel_w - 1) * conv->dilation_w;
    if (row && column >= 0 && end < conv->in_width && conv->dilation_w == 1) {
        return sqz_dot(row + column * conv->in_channels, weights, (uint32_t)conv->kernel_w * conv->in_channels);
    }
    int32_t sum = 0;
    for (; column <= end; column += conv->dilation_w, weights += conv->in_channels) {
        const int inside = row && column >= 0 && column < conv->in_width;
        sum += tap_sum(conv, inside ? row + column * conv->in_channels : NULL, weights);
    }
    return sum;
}

int32_t sqz_conv_sum(const sqz_conv *conv, const sqz_rows *rows, unsigned x, const int8_t *weights) {
    const size_t row_weights = (size_t)conv->kernel_w * conv->in_channels;
    const int column = (int)(x * conv->stride_w) - conv->pad_left;
    int32_t sum = 0;
    for (unsigned ky = 0; ky < conv->kernel_h; ++ky, weights += row_weights) {
        sum += row_sum(conv, rows->in[ky * conv->dilation_h], column, weights);
    }
    return sum;
}

int8_t sqz_conv_value(const sqz_conv *conv, const sqz_rows *rows, unsigned x, unsigned o) {
    const int8_t *weights = conv->weights + (size_t)o * sqz_conv_inputs(conv);
    return sqz_requantize(&conv->requant, conv->bias[o] + sqz_conv_sum(conv, rows, x, weights), o);
}

void sqz_conv_row(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    for (unsigned x = 0; x < conv->out_width; ++x) {
        int8_t *pixel = rows->out + (size_t)x * conv->out_stride;
        for (unsigned o = 0; o < conv->out_channels; ++o) {
            pixel[o] = sqz_conv_value(conv, rows, x, o);
        }
    }
}
