/* PAD in channels, too. */
#include "sqz_ops.h"

#include <string.h>

void sqz_pad_channels_row(const void *params, const sqz_rows *rows) {
    const sqz_pad_channels *more = params;
    const sqz_pad *pad = &more->pad;
    const int8_t *row = rows->in[0];
    const size_t channels = (size_t)more->before + pad->channels + more->after;
    for (unsigned x = 0; x < pad->out_width; ++x) {
        int8_t *out = rows->out + (size_t)x * pad->out_stride;
        const int column = (int)x - pad->pad_left;
        memset(out, pad->value, channels);
        if (row && column >= 0 && column < pad->in_width) {
            memcpy(out + more->before, row + (size_t)column * pad->channels, pad->channels);
        }
    }
}
