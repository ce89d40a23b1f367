/* A convolution and its MEAN for processors with SMLAD, whose zero blocks of weights are left out. */
#include "sqz_conv.h"
#include "sqz_tile_dsp_sparse.h"

#define BLOCK 64u /* channels; a multiple of four */

static void add(int32_t *sums, const int8_t *first, const int8_t *second, unsigned channels) {
    for (unsigned i = 0; i < channels; ++i) {
        sums[i] += first[i] + second[i];
    }
}

void sqz_conv_mean_row_dsp_sparse(const void *params, const sqz_rows *rows) {
    const sqz_conv_mean *both = params;
    const sqz_conv *conv = &both->conv;
    int8_t first[BLOCK], second[BLOCK], beyond[BLOCK] = {0}; /* what is beyond the row counts nothing */
    sqz_dsp_tile tile;
    sqz_dsp_begin(&tile, conv, rows);
    for (unsigned x = 0; x < conv->out_width; x += SQZ_DSP_PIXELS) {
        sqz_dsp_fill(&tile, x);
        tile.record = conv->weights;
        for (unsigned o = 0; o < conv->out_channels; o += BLOCK) {
            const unsigned count = o + BLOCK < conv->out_channels ? BLOCK : conv->out_channels - o;
            sqz_dsp_sparse_channels(&tile, count, first, second);
            add((int32_t *)rows->state + o, first, x + 1 < conv->out_width ? second : beyond, count);
        }
    }
    sqz_conv_mean_finish(both, rows);
}
