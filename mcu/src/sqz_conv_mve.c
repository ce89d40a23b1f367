/* CONV_2D for processors with Helium. */
#include "sqz_tile_mve.h"

void sqz_conv_row_mve(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    int8_t *pixel = rows->out;
    sqz_mve_tile tile;
    sqz_mve_begin(&tile, conv, rows);
    for (unsigned x = 0; x < conv->out_width; x += SQZ_MVE_PIXELS, pixel += SQZ_MVE_PIXELS * conv->out_stride) {
        int8_t *next = x + 1 < conv->out_width ? pixel + conv->out_stride : pixel;
        sqz_mve_fill(&tile, x);
        tile.record = conv->weights;
        sqz_mve_channels(&tile, conv->out_channels, pixel, next);
    }
}
