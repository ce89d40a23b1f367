/* FULLY_CONNECTED, fed with the rows of the map before it. */
#include "sqz_requantize.h"

static int32_t dot(const int8_t *a, const int8_t *b, uint32_t count) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < count; ++i) {
        sum += a[i] * b[i];
    }
    return sum;
}

void sqz_fully_connected_row(const void *params, const sqz_rows *rows) {
    const sqz_fully_connected *fc = params;
    int32_t *sums = rows->state;
    const int8_t *weights = fc->weights + (size_t)rows->y * fc->row_bytes;
    for (unsigned o = 0; o < fc->out_channels; ++o, weights += (size_t)fc->height * fc->row_bytes) {
        const int32_t sum = (rows->y ? sums[o] : fc->bias[o]) + dot(rows->in[0], weights, fc->row_bytes);
        if (rows->out) {
            rows->out[o] = sqz_requantize(&fc->requant, sum, o);
        } else {
            sums[o] = sum;
        }
    }
}
