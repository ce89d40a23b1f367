/* QUANTIZE from int8 to int8; RELU and RELU6 that stand alone. */
#include "sqz_requantize.h"

void sqz_quantize_row(const void *params, const sqz_rows *rows) {
    const sqz_quantize *quantize = params;
    const int8_t *in = rows->in[0];
    for (unsigned x = 0; x < quantize->width; ++x) {
        int8_t *out = rows->out + (size_t)x * quantize->out_stride;
        for (unsigned c = 0; c < quantize->channels; ++c) {
            out[c] = sqz_requantize(&quantize->requant, *in++ - quantize->input_zero_point, 0);
        }
    }
}
