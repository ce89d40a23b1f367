#include "sqz_window.h"
#include "sqz_bytes.h"

static unsigned at_most(int value, unsigned most) {
    return value < 0 ? 0 : (unsigned)value < most ? (unsigned)value : most;
}

sqz_window sqz_window_begin(const sqz_conv *conv, const sqz_rows *rows) {
    const int dilated = conv->dilation_w > 1;
    const unsigned taps = dilated ? 1u : conv->kernel_w, stride = conv->stride_w;
    sqz_window window = {conv, rows->in, conv->kernel_h, taps * conv->in_channels, taps, 0, 0};
    window.segments *= dilated ? conv->kernel_w : 1u;
    window.inside_from = (conv->pad_left + stride - 1) / stride;
    window.inside_end = at_most((conv->in_width + conv->pad_left - (int)taps + (int)stride) / (int)stride, conv->out_width);
    for (unsigned i = 0; i < conv->kernel_h; ++i) {
        if (dilated || !rows->in[i * conv->dilation_h]) {
            window.inside_end = 0;
        }
    }
    return window;
}

void sqz_window_copy(const sqz_window *window, unsigned x, unsigned i, int8_t *to) {
    const sqz_conv *conv = window->conv;
    const unsigned dilated = conv->dilation_w > 1, channels = conv->in_channels;
    const unsigned ky = dilated ? i / conv->kernel_w : i, kx = dilated ? i % conv->kernel_w : 0;
    const int8_t *row = window->in[ky * conv->dilation_h];
    const int column = (int)(x * conv->stride_w + kx * conv->dilation_w) - conv->pad_left;
    const unsigned left = row ? at_most(-column, window->taps) : window->taps;
    const unsigned right = at_most(column + (int)window->taps - conv->in_width, window->taps - left);
    const unsigned inside = window->taps - left - right;
    sqz_set(to, conv->input_zero_point, left * channels);
    if (inside) {
        sqz_copy(to + left * channels, row + (unsigned)(column + (int)left) * channels, inside * channels);
    }
    sqz_set(to + (left + inside) * channels, conv->input_zero_point, right * channels);
}
