/* A row of a convolution and its MEAN, as sqz_row_dsp.h: a block of channels of two pixels at a time is summed. */
#ifndef SQZ_MEAN_ROW_DSP_H
#define SQZ_MEAN_ROW_DSP_H
#include "sqz_conv.h"
#include "sqz_row_dsp.h"

SQZ_FOR_SIZE

#define SQZ_DSP_BLOCK 64u /* channels; a multiple of four */

static inline void sqz_dsp_add(int32_t *sums, const int8_t *first, const int8_t *second, unsigned channels) {
    for (unsigned i = 0; i < channels; ++i) {
        sums[i] += first[i] + second[i];
    }
}

static inline SQZ_CODE void sqz_dsp_mean_row(const sqz_conv_mean *both, const sqz_rows *rows, int all_rows,
                                             sqz_dsp_sums channels) {
    const sqz_conv *conv = &both->conv;
    int8_t first[SQZ_DSP_BLOCK], second[SQZ_DSP_BLOCK];
    int8_t beyond[SQZ_DSP_BLOCK] = {0}; /* what is beyond the row counts nothing */
    sqz_dsp_tile tile;
    sqz_dsp_begin(&tile, conv, rows, all_rows);
    for (unsigned x = 0; x < conv->out_width; x += SQZ_DSP_PIXELS) {
        sqz_dsp_fill_pair(&tile, x);
        tile.record = conv->weights;
        for (unsigned o = 0; o < conv->out_channels; o += SQZ_DSP_BLOCK) {
            const unsigned count = o + SQZ_DSP_BLOCK < conv->out_channels ? SQZ_DSP_BLOCK : conv->out_channels - o;
            channels(&tile, count, first, second);
            sqz_dsp_add((int32_t *)rows->state + o, first, x + 1 < conv->out_width ? second : beyond, count);
        }
    }
    sqz_conv_mean_finish(both, rows);
}
#endif
