/* TRANSPOSE: a row gathered from the whole map. */
#include "sqz_ops.h"

void sqz_transpose_row(const void *params, const sqz_rows *rows) {
    const sqz_transpose *transpose = params;
    const int8_t *pixel = rows->in[0] + (size_t)rows->y * transpose->row_step;
    int8_t *out = rows->out;
    for (unsigned x = 0; x < transpose->width; ++x, pixel += transpose->pixel_step, out += transpose->out_stride) {
        const int8_t *in = pixel;
        for (unsigned c = 0; c < transpose->channels; ++c, in += transpose->channel_step) {
            out[c] = *in;
        }
    }
}
