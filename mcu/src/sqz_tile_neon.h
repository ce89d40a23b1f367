/* Up to eight output pixels of a convolution on 64-bit ARM: what sqz_conv_neon.c and sqz_conv_mean_neon.c share.
 *
 * What the pixels see is copied to a patch, eight inputs of each pixel in turn: [inputs / 8, pixels, 8]. Packed weights are
 * records (sqz_record.h) of eight channels, the last filled up: [inputs / 8, 2, 8 channels, 4]; what fills up their last
 * inputs is 0. SDOT takes four weights of four channels and four inputs of one pixel; SMMLA eight weights of two channels,
 * zipped from both halves of a block, and eight inputs of two pixels; ARMv8.0 the eights of each, and two products
 * are added as int16, so no weight is -128.
 *
 * Needs shifts from -31 to -1.
 * Scratch: ten times the inputs and, once, those of a kernel row and the eight pixels of all channels, with inputs and
 * channels rounded up to eight; 24. */
#ifndef SQZ_TILE_NEON_H
#define SQZ_TILE_NEON_H
#include "sqz_window.h"

#define SQZ_NEON_PIXELS 8u
#define SQZ_NEON_CHANNELS 8u

typedef struct sqz_neon_tile {
    sqz_window window;
    unsigned blocks, channels; /* of eight inputs; rounded up to eight */
    unsigned pixels, width;    /* of the output; of the patch: even */
    int8_t *patch, *lines[2]; /* what all pixels see, by eights; what each of two sees, in one run */
    int8_t *outside, *outs;   /* what a pixel sees of a row that is not there; [pixels, channels] */
} sqz_neon_tile;

SQZ_CODE void sqz_neon_begin(sqz_neon_tile *tile, const sqz_conv *conv, const sqz_rows *rows);

/* Turn to the pixels from x on. */
SQZ_CODE void sqz_neon_turn(sqz_neon_tile *tile, unsigned x);

/* All channels of tile->width pixels, of which the last may be no one's, `stride` bytes apart; channels are filled up. */
SQZ_CODE void sqz_neon_channels(const sqz_neon_tile *tile, int8_t *out, unsigned stride);
#endif
