/* A convolution with compressed weights and its MEAN for processors with SMLAD. */
#include "sqz_packed_dsp.h"

#define BLOCK 64u /* channels summed at a time; a multiple of four */

static void add(int32_t *sums, const int8_t *first, const int8_t *second, unsigned channels) {
    for (unsigned i = 0; i < channels; ++i) {
        sums[i] += first[i] + second[i];
    }
}

/* A block of channels of all pixels. */
static void add_block(sqz_dsp_tile *tile, const sqz_conv *conv, const int8_t *records, unsigned channels, int32_t *sums) {
    int8_t first[BLOCK], second[BLOCK], beyond[BLOCK] = {0}; /* what is beyond the row counts nothing */
    for (unsigned x = 0; x < conv->out_width; x += SQZ_DSP_PIXELS) {
        sqz_dsp_fill_pair(tile, x);
        tile->record = records;
        for (unsigned o = 0; o < channels; o += BLOCK) {
            const unsigned count = o + BLOCK < channels ? BLOCK : channels - o;
            sqz_dsp_filled_up(tile, count, first, second);
            add(sums + o, first, x + 1 < conv->out_width ? second : beyond, count);
        }
    }
}

void sqz_conv_mean_row_dsp_packed(const void *params, const sqz_rows *rows) {
    const sqz_conv_mean_packed *packed = params;
    const sqz_conv *conv = &packed->both.conv;
    sqz_dsp_tile tile;
    sqz_unpack unpack;
    void *patch = sqz_dsp_begin_packed(&unpack, conv, &packed->packed, rows);
    for (unsigned o = 0, count; o < conv->out_channels; o += count) {
        count = sqz_dsp_next_block(&unpack, conv, o);
        for (unsigned i = 0; i < rows->count; ++i) {
            sqz_dsp_begin_row(&tile, conv, &packed->packed, rows, i, patch);
            add_block(&tile, conv, unpack.block, count, (int32_t *)rows->state + o);
        }
    }
    sqz_conv_mean_finish(&packed->both, rows);
}
