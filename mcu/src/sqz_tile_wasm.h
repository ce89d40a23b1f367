/* A row of a convolution for WebAssembly: what sqz_conv_wasm.c and sqz_conv_mean_wasm.c share.
 *
 * The rows that a window sees are widened to int16 once, with what lies outside the image, so that what any pixel sees lies
 * in runs: of a kernel row, or if the kernel is dilated of one of its columns. A run is pairs of inputs, the last filled up:
 * what then follows is multiplied by 0. Packed weights are the records of sqz_wasm.h: [runs, pairs, 8 channels, 2].
 * A pair of a pixel is one word, that four lanes are filled with; all channels of some pixels are made eight at a time.
 *
 * Scratch: SQZ_POINTER_BYTES a run; for each kernel row int16 of its columns and one more, up to a multiple of 8 bytes;
 * eight channels of all output pixels. */
#ifndef SQZ_TILE_WASM_H
#define SQZ_TILE_WASM_H
#include "sqz_wasm.h"

typedef struct sqz_wasm_tile {
    const sqz_conv *conv;
    const int16_t **runs; /* of the first output pixel */
    unsigned count, pairs; /* of runs; of inputs in each */
    unsigned step;         /* int16 from one output pixel to the next */
    unsigned record_bytes;
    int8_t *all; /* room for eight channels of all output pixels */
} sqz_wasm_tile;

SQZ_CODE void sqz_wasm_begin(sqz_wasm_tile *tile, const sqz_conv *conv, const sqz_rows *rows);

/* Eight channels, `record`'s, of all pixels of the row, `stride` bytes apart. */
SQZ_CODE void sqz_wasm_channels(const sqz_wasm_tile *tile, const int8_t *record, int8_t *out, size_t stride);
#endif
