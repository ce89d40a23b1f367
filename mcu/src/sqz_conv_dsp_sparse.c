/* CONV_2D for processors with SMLAD whose zero blocks of weights are left out. */
#include "sqz_tile_dsp_sparse.h"

void sqz_conv_row_dsp_sparse(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    int8_t *pixel = rows->out;
    sqz_dsp_tile tile;
    sqz_dsp_begin(&tile, conv, rows);
    for (unsigned x = 0; x < conv->out_width; x += SQZ_DSP_PIXELS, pixel += SQZ_DSP_PIXELS * conv->out_stride) {
        int8_t *next = x + 1 < conv->out_width ? pixel + conv->out_stride : pixel;
        sqz_dsp_fill(&tile, x);
        tile.record = conv->weights;
        sqz_dsp_sparse_channels(&tile, conv->out_channels, pixel, next);
    }
}
