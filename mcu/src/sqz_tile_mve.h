/* Two output pixels of a convolution on a processor with Helium: what the kernels of sqz_conv_mve.c share.
 *
 * The inputs of a pixel's window lie in one run of bytes, sixteen of which are multiplied at a time: where they do not
 * already (1x1, whole vectors), they are copied to a patch, and the last vector is filled with zeros.
 *
 * Packed weights, for each four channels: for each sixteen inputs, those of channel 0, 1, 2 and 3; then what is left of
 * the inputs in the same order. Then the channels that make no group of four, one after another. Vectors are loaded
 * whole, so 15 readable bytes follow where the inputs are no multiple of sixteen.
 *
 * Needs shifts from -22 to -1, highest 127, lowest -128 or (RELU) the zero point.
 * Scratch: 2 * inputs rounded up to 16.
 */
#ifndef SQZ_TILE_MVE_H
#define SQZ_TILE_MVE_H
#include "sqz_tables.h"
#include "sqz_window.h"

#define SQZ_MVE_PIXELS 2u

/* A convolution's row made ready. */
typedef struct sqz_mve_tile {
    sqz_window window;
    sqz_tables tables;
    int8_t *patch;          /* of the first pixel; the second's is `stride` bytes on */
    unsigned inputs, stride;
    const int8_t *first, *second; /* the inputs of both pixels */
} sqz_mve_tile;

void sqz_mve_begin(sqz_mve_tile *tile, const sqz_conv *conv, const sqz_rows *rows);

/* Find or copy the inputs of pixels x and x + 1 (of x twice if it is the last). */
void sqz_mve_fill(sqz_mve_tile *tile, unsigned x);

/* Channels from `channel`, a multiple of four, to before `end`, of both pixels. `weights` are those of `channel`;
 * returns those of `end`. */
const int8_t *sqz_mve_channels(const sqz_mve_tile *tile, const int8_t *weights, unsigned channel, unsigned end,
                                int8_t *first, int8_t *second);
#endif
