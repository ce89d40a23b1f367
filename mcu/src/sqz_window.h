/* Where the inputs of an output pixel lie, for the fast convolutions: as segments, contiguous runs of bytes, one per
 * kernel row, or per tap if the kernel is dilated. */
#ifndef SQZ_WINDOW_H
#define SQZ_WINDOW_H
#include "sqz_ops.h"

typedef struct sqz_window {
    const sqz_conv *conv;
    const int8_t *const *in;
    unsigned segments, bytes, taps; /* bytes and taps of one segment */
    int plain;                      /* not dilated, and no row is outside the image */
} sqz_window;

sqz_window sqz_window_begin(const sqz_conv *conv, const sqz_rows *rows);

/* Bytes from the start of a row to the window of output pixel x, if all of that is inside the image and the window is
 * plain: segment i is then at in[i * dilation_h] + offset. Otherwise -1. */
static inline int32_t sqz_window_offset(const sqz_window *window, unsigned x) {
    const sqz_conv *conv = window->conv;
    const int column = (int)(x * conv->stride_w) - conv->pad_left;
    const int inside = window->plain && column >= 0 && column + (int)window->taps <= conv->in_width;
    return inside ? column * conv->in_channels : -1;
}

/* Copy segment i of output pixel x; what is outside the image is the input's zero point. */
void sqz_window_copy(const sqz_window *window, unsigned x, unsigned i, int8_t *to);
#endif
