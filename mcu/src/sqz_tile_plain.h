/* One or two output pixels of a convolution in plain C: what sqz_conv_four.c and sqz_conv_mean_four.c share.
 *
 * Two pixels by four channels are eight sums, so six loads serve eight products on any processor; a pixel whose window
 * leaves the image is alone. Weights: for each four channels those of each input in turn,
 * [O / 4, KH, KW, I, 4]; behind them plain rows [KH, KW, I] of what makes no four. No scratch. */
#ifndef SQZ_TILE_PLAIN_H
#define SQZ_TILE_PLAIN_H
#include "sqz_window.h"

#define SQZ_PLAIN_PIXELS 2u
#define SQZ_PLAIN_SUMS 8u

typedef struct sqz_plain_tile {
    const sqz_rows *rows;
    unsigned x, pixels; /* the first, and how many */
    int start, inside;  /* from a row's start to the first window; whether windows lie in the image */
    sqz_window window;
} sqz_plain_tile;

void sqz_plain_begin(sqz_plain_tile *tile, const sqz_conv *conv, const sqz_rows *rows);

/* Turn to the pixels from x on; return how many, 1 or 2. */
unsigned sqz_plain_turn(sqz_plain_tile *tile, unsigned x);

/* The sums of the pixels for four channels from o on, or for one, biases included: channel by channel, in it of the first
 * pixel, then of the second or nothing. Return the weights that follow. */
SQZ_CODE const int8_t *sqz_plain_four(const sqz_plain_tile *tile, const int8_t *weights, unsigned o, int32_t *sum);
const int8_t *sqz_plain_one(const sqz_plain_tile *tile, const int8_t *weights, unsigned o, int32_t *sum);
#endif
