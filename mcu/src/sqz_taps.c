#include "sqz_taps.h"
#include "sqz_bytes.h"

void sqz_taps_begin(sqz_taps *of, const sqz_conv *conv, const sqz_rows *rows, unsigned room) {
    of->conv = conv;
    of->in = rows->in;
    of->taps = rows->scratch;
    of->count = (unsigned)conv->kernel_h * conv->kernel_w;
    of->outside = (int8_t *)rows->scratch + (size_t)room * SQZ_POINTER_BYTES;
    of->whole = 1;
    sqz_set(of->outside, conv->input_zero_point, conv->in_channels);
    for (unsigned ky = 0; ky < conv->kernel_h; ++ky) {
        of->whole &= rows->in[ky * conv->dilation_h] != NULL;
    }
}

/* Where the taps of output pixel x lie. */
static void find_taps(const sqz_taps *of, unsigned x) {
    const sqz_conv *conv = of->conv;
    const int first = (int)(x * conv->stride_w) - conv->pad_left;
    const int8_t **tap = of->taps;
    for (unsigned ky = 0; ky < conv->kernel_h; ++ky) {
        const int8_t *row = of->in[ky * conv->dilation_h];
        int column = first;
        for (unsigned kx = 0; kx < conv->kernel_w; ++kx, column += conv->dilation_w) {
            const int inside = row && column >= 0 && column < conv->in_width;
            *tap++ = inside ? row + column * conv->in_channels : of->outside;
        }
    }
}

/* Inside the image all taps move alike. */
void sqz_taps_turn(sqz_taps *of, unsigned from, unsigned x) {
    const sqz_conv *conv = of->conv;
    if (!of->whole || from == x || !sqz_taps_inside(conv, from) || !sqz_taps_inside(conv, x)) {
        find_taps(of, x);
        return;
    }
    const int8_t **tap = of->taps;
    const unsigned step = (x - from) * conv->stride_w * conv->in_channels;
    for (unsigned i = 0; i < of->count; ++i) {
        tap[i] += step;
    }
}
