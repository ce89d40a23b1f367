/* Where the inputs of an output pixel lie, for the fast convolutions: as segments, contiguous runs of bytes, one per
 * kernel row, or per tap if the kernel is dilated. */
#ifndef SQZ_WINDOW_H
#define SQZ_WINDOW_H
#include "sqz_ops.h"

typedef struct sqz_window {
    const sqz_conv *conv;
    const int8_t *const *in;
    unsigned segments, bytes, taps;   /* bytes and taps of one segment */
    unsigned inside_from, inside_end; /* output pixels that need nothing from outside the image; none if dilated */
} sqz_window;

sqz_window sqz_window_begin(const sqz_conv *conv, const sqz_rows *rows);

/* Segment i of an output pixel that is inside. */
static inline const int8_t *sqz_window_segment(const sqz_window *window, unsigned x, unsigned i) {
    const sqz_conv *conv = window->conv;
    return window->in[i * conv->dilation_h] + (x * conv->stride_w - conv->pad_left) * conv->in_channels;
}

/* Bytes from a segment of one output pixel to that of the next. */
static inline unsigned sqz_window_step(const sqz_window *window) {
    return (unsigned)window->conv->stride_w * window->conv->in_channels;
}

/* Copy segment i of any output pixel; what is outside the image is the input's zero point. */
void sqz_window_copy(const sqz_window *window, unsigned x, unsigned i, int8_t *to);
#endif
