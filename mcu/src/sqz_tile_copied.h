/* Output pixels of a convolution in plain C, each pixel's window one run of inputs: what sqz_conv_copied.c,
 * sqz_conv_thumb.c and those with a mean share. A window that is not one run is copied together.
 *
 * Two pixels by four channels are eight sums, so six loads serve eight products on any processor with the registers;
 * weights as sqz_tile_plain.h says. A Cortex-M0 has eight registers that multiply: one pixel by four channels, with
 * weights + 128 in the same order, as bytes without sign take one instruction to load.
 * Scratch: 2 * inputs of the window. */
#ifndef SQZ_TILE_COPIED_H
#define SQZ_TILE_COPIED_H
#include "sqz_window.h"

#define SQZ_COPIED_PIXELS 2u

typedef struct sqz_copied_tile {
    const int8_t *inputs[SQZ_COPIED_PIXELS]; /* of each pixel one run */
    int8_t *patch;
    unsigned count; /* of inputs */
    sqz_window window;
} sqz_copied_tile;

void sqz_copied_begin(sqz_copied_tile *tile, const sqz_conv *conv, const sqz_rows *rows);

/* Find or copy the inputs of up to so many pixels from x on; return how many, at least 1. */
SQZ_CODE unsigned sqz_copied_fill(sqz_copied_tile *tile, unsigned x, unsigned most);

/* The sums of two pixels for four channels from o on, biases included: channel by channel, in it pixel by pixel. */
SQZ_CODE const int8_t *sqz_copied_four(const sqz_copied_tile *tile, const int8_t *weights, unsigned o, int32_t *sum);

/* The sums of one pixel for four channels of weights + 128 from o on; `taken` is 128 * the sum of its inputs. */
SQZ_CODE const int8_t *sqz_thumb_four(const sqz_copied_tile *tile, const int8_t *weights, unsigned o, uint32_t taken, int32_t *sum);

/* The sum of one pixel for one channel of plain weights. */
int32_t sqz_copied_one(const sqz_copied_tile *tile, unsigned pixel, const int8_t *weights, unsigned o);
#endif
