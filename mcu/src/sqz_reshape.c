/* RESHAPE to other rows. */
#include "sqz_ops.h"

#include <string.h>

void sqz_reshape_row(const void *params, const sqz_rows *rows) {
    const sqz_reshape *reshape = params;
    const int8_t *in = rows->in[0] + (size_t)rows->y * reshape->width * reshape->channels;
    int8_t *out = rows->out;
    for (unsigned x = 0; x < reshape->width; ++x, in += reshape->channels, out += reshape->out_stride) {
        memcpy(out, in, reshape->channels);
    }
}
