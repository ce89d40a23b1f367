/* A convolution and the MEAN that alone reads it, as sqz_conv_mean.c, in plain C, four channels at a time. */
#include "sqz_conv.h"
#include "sqz_tile_plain.h"

static void add(const sqz_plain_tile *tile, const int32_t *sum, unsigned o, unsigned channels, int32_t *sums) {
    for (unsigned c = o; c < o + channels; ++c, sum += SQZ_PLAIN_PIXELS) {
        for (unsigned i = 0; i < tile->pixels; ++i) {
            sums[c] += sqz_requantize(&tile->window.conv->requant, sum[i], c);
        }
    }
}

void sqz_conv_mean_four_row(const void *params, const sqz_rows *rows) {
    const sqz_conv_mean *both = params;
    const sqz_conv *conv = &both->conv;
    sqz_plain_tile tile;
    sqz_plain_begin(&tile, conv, rows);
    for (unsigned x = 0; x < conv->out_width; x += tile.pixels) {
        const int8_t *weights = conv->weights;
        int32_t sum[SQZ_PLAIN_SUMS];
        unsigned o = 0;
        (void)sqz_plain_turn(&tile, x);
        for (; o + 4 <= conv->out_channels; o += 4) {
            weights = sqz_plain_four(&tile, weights, o, sum);
            add(&tile, sum, o, 4, rows->state);
        }
        for (; o < conv->out_channels; ++o) {
            weights = sqz_plain_one(&tile, weights, o, sum);
            add(&tile, sum, o, 1, rows->state);
        }
    }
    sqz_conv_mean_finish(both, rows);
}
