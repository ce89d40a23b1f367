/* CONV_2D for 64-bit ARM. */
#include "sqz_bytes.h"
#include "sqz_tile_neon.h"

void sqz_conv_row_neon(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    int8_t *pixel = rows->out;
    sqz_neon_tile tile;
    sqz_neon_begin(&tile, conv, rows);
    for (unsigned x = 0; x < conv->out_width; x += tile.pixels) {
        sqz_neon_turn(&tile, x);
        if (tile.pixels == tile.width && tile.channels == conv->out_channels) {
            sqz_neon_channels(&tile, pixel, conv->out_stride);
            pixel += (size_t)tile.pixels * conv->out_stride;
            continue;
        }
        sqz_neon_channels(&tile, tile.outs, tile.channels);
        for (unsigned i = 0; i < tile.pixels; ++i, pixel += conv->out_stride) {
            sqz_copy(pixel, tile.outs + (size_t)i * tile.channels, conv->out_channels);
        }
    }
}
