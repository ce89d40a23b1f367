/* A convolution and the MEAN that alone reads it, as sqz_conv_mean.c, for 64-bit ARM. */
#include "sqz_conv.h"
#include "sqz_tile_neon.h"

/* Adds a tile's outputs to the sums. */
static void add(const sqz_neon_tile *tile, unsigned channels, int32_t *sums) {
    for (unsigned i = 0; i < tile->pixels; ++i) {
        const int8_t *out = tile->outs + (size_t)i * tile->channels;
        for (unsigned c = 0; c < channels; ++c) {
            sums[c] += out[c];
        }
    }
}

void sqz_conv_mean_row_neon(const void *params, const sqz_rows *rows) {
    const sqz_conv_mean *both = params;
    const sqz_conv *conv = &both->conv;
    sqz_neon_tile tile;
    sqz_neon_begin(&tile, conv, rows);
    for (unsigned x = 0; x < conv->out_width; x += tile.pixels) {
        sqz_neon_turn(&tile, x);
        sqz_neon_channels(&tile, tile.outs, tile.channels);
        add(&tile, conv->out_channels, rows->state);
    }
    sqz_conv_mean_finish(both, rows);
}
