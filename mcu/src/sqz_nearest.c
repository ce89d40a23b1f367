/* RESIZE_NEAREST_NEIGHBOR: pixels of one row, some of them several times. */
#include "sqz_ops.h"

#include <string.h>

void sqz_nearest_row(const void *params, const sqz_rows *rows) {
    const sqz_nearest *nearest = params;
    const int8_t *in = rows->in[nearest->rows ? nearest->rows[rows->y] : 0];
    int8_t *out = rows->out;
    for (unsigned x = 0; x < nearest->width; ++x, out += nearest->out_stride) {
        memcpy(out, in + (size_t)nearest->columns[x] * nearest->channels, nearest->channels);
    }
}
