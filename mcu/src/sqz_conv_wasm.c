/* CONV_2D for WebAssembly. */
#include "sqz_tile_wasm.h"

/* The last channels, fewer than eight. */
static void put_last(const sqz_wasm_tile *tile, const int8_t *record, unsigned channels, int8_t *all, int8_t *out) {
    const sqz_conv *conv = tile->conv;
    sqz_wasm_channels(tile, record, all, SQZ_WASM_CHANNELS);
    for (unsigned x = 0; x < conv->out_width; ++x, all += SQZ_WASM_CHANNELS, out += conv->out_stride) {
        for (unsigned c = 0; c < channels; ++c) {
            out[c] = all[c];
        }
    }
}

void sqz_conv_row_wasm(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    const int8_t *record = conv->weights;
    int8_t *out = rows->out;
    unsigned left = conv->out_channels;
    sqz_wasm_tile tile;
    sqz_wasm_begin(&tile, conv, rows);
    for (; left >= SQZ_WASM_CHANNELS; left -= SQZ_WASM_CHANNELS, out += SQZ_WASM_CHANNELS, record += tile.record_bytes) {
        sqz_wasm_channels(&tile, record, out, conv->out_stride);
    }
    if (left) {
        put_last(&tile, record, left, tile.all, out);
    }
}
