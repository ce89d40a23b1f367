/* FULLY_CONNECTED of each pixel of a row. */
#include "sqz_connected.h"
#include "sqz_dot.h"

void sqz_fully_connected_each_row(const void *params, const sqz_rows *rows) {
    const sqz_fully_connected_each *each = params;
    const sqz_fully_connected *fc = &each->pixel;
    const int8_t *in = rows->in[0];
    sqz_factor factor = sqz_factor_of(&fc->requant, 0);
    sqz_rows one = {.out = rows->out}; /* as if it were the only row of a map */
    for (unsigned x = 0; x < each->width; ++x, in += fc->row_bytes, one.out += each->out_stride) {
        const int8_t *weights = fc->weights;
        for (unsigned o = 0; o < fc->out_channels; ++o, weights += fc->row_bytes) {
            sqz_connected_put(fc, &one, o, sqz_dot(in, weights, fc->row_bytes), &factor);
        }
    }
}
