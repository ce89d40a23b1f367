/* STRIDED_SLICE, SLICE and SPLIT: some pixels and channels of a row. */
#include "sqz_ops.h"

#include <string.h>

void sqz_slice_row(const void *params, const sqz_rows *rows) {
    const sqz_slice *slice = params;
    const int8_t *pixel = rows->in[0] + slice->first;
    int8_t *out = rows->out;
    if (out == NULL) {
        return; /* a row of which nothing is taken */
    }
    for (unsigned x = 0; x < slice->width; ++x, pixel += slice->pixel_step, out += slice->out_stride) {
        if (slice->channel_step == 1) {
            memcpy(out, pixel, slice->channels);
            continue;
        }
        const int8_t *in = pixel;
        for (unsigned c = 0; c < slice->channels; ++c, in += slice->channel_step) {
            out[c] = *in;
        }
    }
}
