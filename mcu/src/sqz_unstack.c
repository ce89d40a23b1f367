/* RESHAPE to a multiple of as many rows. */
#include "sqz_ops.h"

#include <string.h>

void sqz_unstack_row(const void *params, const sqz_rows *rows) {
    const sqz_unstack *unstack = params;
    const sqz_reshape *reshape = &unstack->reshape;
    const unsigned part = rows->y & unstack->mask;
    const int8_t *in = rows->in[0] + (size_t)part * reshape->width * reshape->channels;
    int8_t *out = rows->out;
    for (unsigned x = 0; x < reshape->width; ++x, in += reshape->channels, out += reshape->out_stride) {
        memcpy(out, in, reshape->channels);
    }
}
