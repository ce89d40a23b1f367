/* PRELU with a slope for each channel. */
#include "sqz_prelu.h"

void sqz_prelu_row(const void *params, const sqz_rows *rows) {
    const sqz_prelu *prelu = params;
    const int8_t *in = rows->in[0];
    int8_t *out = rows->out;
    for (unsigned x = 0; x < prelu->width; ++x, in += prelu->channels, out += prelu->out_stride) {
        sqz_prelu_pixel(prelu, in, prelu->slopes, out);
    }
}
