/* PRELU with a slope for each channel. */
#include "sqz_requantize.h"

void sqz_prelu_row(const void *params, const sqz_rows *rows) {
    const sqz_prelu *prelu = params;
    const int8_t *in = rows->in[0];
    int8_t *out = rows->out;
    for (unsigned x = 0; x < prelu->width; ++x, out += prelu->out_stride) {
        for (unsigned c = 0; c < prelu->channels; ++c) {
            const int32_t a = *in++ - prelu->input_zero_point;
            out[c] = a >= 0 ? sqz_requantize(&prelu->positive, a, 0)
                            : sqz_requantize(&prelu->negative, a * (prelu->slopes[c] - prelu->slope_zero_point), 0);
        }
    }
}
