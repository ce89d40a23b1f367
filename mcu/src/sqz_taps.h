/* Where the inputs of an output pixel of a depthwise convolution lie, each channel's its own: found once for all channels.
 * Outside the image is a pixel of zero points. */
#ifndef SQZ_TAPS_H
#define SQZ_TAPS_H
#include "sqz_ops.h"

typedef struct sqz_taps {
    const sqz_conv *conv;
    const int8_t *const *in;
    const int8_t **taps; /* of the output pixel: a pixel of inputs for each of its window's places */
    int8_t *outside;     /* a pixel */
    unsigned count;      /* of taps */
    int whole;           /* whether no row of the window is missing */
} sqz_taps;

/* `scratch`: SQZ_POINTER_BYTES for each of `room` taps, then a pixel. */
SQZ_CODE void sqz_taps_begin(sqz_taps *of, const sqz_conv *conv, const sqz_rows *rows, unsigned room);

/* Turn to output pixel x from another before it; to the first from itself. */
SQZ_CODE void sqz_taps_turn(sqz_taps *of, unsigned from, unsigned x);

/* Whether all columns that output pixel x sees lie in the image. */
static inline int sqz_taps_inside(const sqz_conv *conv, unsigned x) {
    const int first = (int)(x * conv->stride_w) - conv->pad_left;
    return first >= 0 && first + (conv->kernel_w - 1) * conv->dilation_w < conv->in_width;
}
#endif
