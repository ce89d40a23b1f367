/* PRELU with a slope for each value of a map. */
#include "sqz_prelu.h"

void sqz_prelu_map_row(const void *params, const sqz_rows *rows) {
    const sqz_prelu *prelu = params;
    const int8_t *in = rows->in[0], *slopes = prelu->slopes + (size_t)rows->y * prelu->width * prelu->channels;
    int8_t *out = rows->out;
    for (unsigned x = 0; x < prelu->width; ++x, out += prelu->out_stride) {
        sqz_prelu_pixel(prelu, in, slopes, out);
        in += prelu->channels;
        slopes += prelu->channels;
    }
}
