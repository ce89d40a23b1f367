/* Two output pixels of a convolution in plain C: what sqz_conv_four.c and sqz_conv_mean_four.c share.
 *
 * Two pixels by four channels are eight sums, so six loads serve eight products on any processor. Weights: for each
 * four channels those of each input in turn, [O / 4, KH, KW, I, 4]; behind them plain rows [KH, KW, I] of what makes
 * no four. Scratch: 2 * inputs of the window; none if it has one row, is not dilated and never leaves the image. */
#ifndef SQZ_TILE_PLAIN_H
#define SQZ_TILE_PLAIN_H
#include "sqz_window.h"

#define SQZ_PLAIN_PIXELS 2u
#define SQZ_PLAIN_SUMS 8u

typedef struct sqz_plain_tile {
    const int8_t *inputs[SQZ_PLAIN_PIXELS]; /* of each pixel one run */
    int8_t *patch;
    unsigned count; /* of inputs */
    sqz_window window;
} sqz_plain_tile;

void sqz_plain_begin(sqz_plain_tile *tile, const sqz_conv *conv, const sqz_rows *rows);

/* Find or copy the inputs of pixels x and x + 1 (of x twice if it is the last). */
void sqz_plain_fill(sqz_plain_tile *tile, unsigned x);

/* The sums of both pixels for four channels from o on, or for one, biases included: channel by channel, in it pixel by
 * pixel. Return the weights that follow. */
const int8_t *sqz_plain_four(const sqz_plain_tile *tile, const int8_t *weights, unsigned o, int32_t *sum);
const int8_t *sqz_plain_one(const sqz_plain_tile *tile, const int8_t *weights, unsigned o, int32_t *sum);
#endif
