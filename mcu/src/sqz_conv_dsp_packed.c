/* CONV_2D with compressed weights for processors with SMLAD. */
#include "sqz_packed_dsp.h"

/* A block of channels of all pixels; `out` is the first of them. */
static void put_block(sqz_dsp_tile *tile, const sqz_conv *conv, const int8_t *records, unsigned channels, int8_t *out) {
    for (unsigned x = 0; x < conv->out_width; x += SQZ_DSP_PIXELS, out += SQZ_DSP_PIXELS * conv->out_stride) {
        int8_t *next = x + 1 < conv->out_width ? out + conv->out_stride : out;
        sqz_dsp_fill_pair(tile, x);
        tile->record = records;
        sqz_dsp_filled_up(tile, channels, out, next);
    }
}

void sqz_conv_row_dsp_packed(const void *params, const sqz_rows *rows) {
    const sqz_conv_packed *both = params;
    const sqz_conv *conv = &both->conv;
    sqz_dsp_tile tile;
    sqz_unpack unpack;
    void *patch = sqz_dsp_begin_packed(&unpack, conv, &both->packed, rows);
    for (unsigned o = 0, count; o < conv->out_channels; o += count) {
        count = sqz_dsp_next_block(&unpack, conv, o);
        for (unsigned i = 0; i < rows->count; ++i) {
            sqz_dsp_begin_row(&tile, conv, &both->packed, rows, i, patch);
            put_block(&tile, conv, unpack.block, count, rows->outs[i] + o);
        }
    }
}
