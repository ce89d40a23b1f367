/* FULLY_CONNECTED, fed with the rows of the map before it. */
#include "sqz_connected.h"
#include "sqz_dot.h"

void sqz_fully_connected_row(const void *params, const sqz_rows *rows) {
    const sqz_fully_connected *fc = params;
    const int8_t *weights = fc->weights + (size_t)rows->y * fc->row_bytes;
    sqz_factor factor = sqz_factor_of(&fc->requant, 0);
    for (unsigned o = 0; o < fc->out_channels; ++o, weights += (size_t)fc->height * fc->row_bytes) {
        sqz_connected_put(fc, rows, o, sqz_dot(rows->in[0], weights, fc->row_bytes), &factor);
    }
}

void sqz_fully_connected_each_row(const void *params, const sqz_rows *rows) {
    sqz_connected_each(params, rows, sqz_fully_connected_row);
}
