/* PAD in height and width. */
#include "sqz_ops.h"

#include <string.h>

void sqz_pad_row(const void *params, const sqz_rows *rows) {
    const sqz_pad *pad = params;
    const int8_t *row = rows->in[0];
    for (unsigned x = 0; x < pad->out_width; ++x) {
        int8_t *out = rows->out + (size_t)x * pad->out_stride;
        const int column = (int)x - pad->pad_left;
        if (row && column >= 0 && column < pad->in_width) {
            memcpy(out, row + (size_t)column * pad->channels, pad->channels);
        } else {
            memset(out, pad->value, pad->channels);
        }
    }
}
