/* A row of a convolution for processors with SMLAD, whichever way the channels of two pixels are summed. */
#ifndef SQZ_ROW_DSP_H
#define SQZ_ROW_DSP_H
#include "sqz_pairs_dsp.h"

/* Computes channels of a tile's two pixels, and goes on to the next records. */
typedef void (*sqz_dsp_sums)(sqz_dsp_tile *tile, unsigned channels, int8_t *first, int8_t *second);

static inline SQZ_CODE void sqz_dsp_row(const sqz_conv *conv, const sqz_rows *rows, int all_rows, sqz_dsp_sums channels) {
    int8_t *pixel = rows->out;
    sqz_dsp_tile tile;
    sqz_dsp_begin(&tile, conv, rows, all_rows);
    for (unsigned x = 0; x < conv->out_width; x += SQZ_DSP_PIXELS, pixel += SQZ_DSP_PIXELS * conv->out_stride) {
        int8_t *next = x + 1 < conv->out_width ? pixel + conv->out_stride : pixel;
        sqz_dsp_fill_pair(&tile, x);
        tile.record = conv->weights;
        channels(&tile, conv->out_channels, pixel, next);
    }
}
#endif
