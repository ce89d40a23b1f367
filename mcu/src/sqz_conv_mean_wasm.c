/* A convolution and the MEAN that alone reads it, as sqz_conv_mean.c, for WebAssembly. */
#include "sqz_conv.h"
#include "sqz_tile_wasm.h"

/* Adds up to eight channels of all pixels to the sums. */
static void add(const sqz_wasm_tile *tile, unsigned channels, int32_t *sums) {
    const int8_t *out = tile->all;
    int32_t sum[SQZ_WASM_CHANNELS] = {0};
    for (unsigned x = 0; x < tile->conv->out_width; ++x, out += SQZ_WASM_CHANNELS) {
        for (unsigned c = 0; c < SQZ_WASM_CHANNELS; ++c) {
            sum[c] += out[c];
        }
    }
    for (unsigned c = 0; c < channels; ++c) {
        sums[c] += sum[c];
    }
}

void sqz_conv_mean_row_wasm(const void *params, const sqz_rows *rows) {
    const sqz_conv_mean *both = params;
    const unsigned channels = both->conv.out_channels;
    const int8_t *record = both->conv.weights;
    sqz_wasm_tile tile;
    sqz_wasm_begin(&tile, &both->conv, rows);
    for (unsigned o = 0; o < channels; o += SQZ_WASM_CHANNELS, record += tile.record_bytes) {
        sqz_wasm_channels(&tile, record, tile.all, SQZ_WASM_CHANNELS);
        add(&tile, channels - o < SQZ_WASM_CHANNELS ? channels - o : SQZ_WASM_CHANNELS, (int32_t *)rows->state + o);
    }
    sqz_conv_mean_finish(both, rows);
}
