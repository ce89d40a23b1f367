/* CONV_2D for processors with SMLAD where rows have an odd number of pixels: the last is computed alone. Needs
 * kernel rows and channels that make whole groups of four. */
#include "sqz_one_dsp.h"

void sqz_conv_odd_row_dsp(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    int8_t *pixel = rows->out;
    unsigned x = 0;
    sqz_dsp_tile tile;
    sqz_dsp_begin(&tile, conv, rows);
    for (; x + 1 < conv->out_width; x += SQZ_DSP_PIXELS, pixel += SQZ_DSP_PIXELS * conv->out_stride) {
        sqz_dsp_fill(&tile, x);
        tile.record = conv->weights;
        sqz_dsp_channels(&tile, conv->out_channels, pixel, pixel + conv->out_stride);
    }
    tile.record = conv->weights;
    sqz_dsp_one(&tile, x, conv->out_channels, pixel);
}
