/* The same as sqz_conv_fours_dsp.c where rows have an odd number of pixels: the last is computed alone. */
#include "sqz_one_dsp.h"
#include "sqz_pairs_dsp.h"

void sqz_conv_odd_row_dsp(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    const unsigned last = conv->out_width - 1u;
    sqz_dsp_tile tile;
    sqz_dsp_begin(&tile, conv, rows, 0);
    if (last) {
        sqz_dsp_put_pairs(&tile, last, rows->out);
    }
    tile.record = conv->weights;
    sqz_dsp_one(&tile, last, conv->out_channels, rows->out + (size_t)last * conv->out_stride);
}
