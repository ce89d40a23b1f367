/* Two output pixels of a convolution on a processor with SMLAD: what the kernels of sqz_conv_dsp.c share.
 *
 * The inputs of both pixels are widened to int16 in a patch, once for all channels: for each pair of inputs one word
 * of the first pixel, one of the second. Packed weights have the inputs in the patch's order: first all groups of
 * four bytes of all segments (see sqz_window.h), each as (0, 2), (1, 3), then the bytes left over, and a zero if they are odd.
 *
 * Weights of channels c and c + 1 share a halfword: 256 * second + first. SMLAD of the whole halfword sums
 * 256 * S1 + S0, SMLAD of its sign-extended low byte S0, so only every other weight has to be unpacked. That is exact
 * modulo 2^32 while |S1| < 2^23, which the packer proves (else it packs for sqz_conv_row_dsp_wide).
 *
 * Needs shifts from -22 to -1, highest 127, lowest -128 or (RELU) the zero point.
 * Scratch: 4 bytes per input of the window, rounded up to an even number, + 2 * bytes of a segment.
 */
#ifndef SQZ_TILE_DSP_H
#define SQZ_TILE_DSP_H
#include "sqz_tables.h"
#include "sqz_window.h"

#define SQZ_DSP_PIXELS 2u

/* A convolution's row made ready. */
typedef struct sqz_dsp_tile {
    sqz_window window;
    uint32_t *patch;
    int8_t *edge; /* two segments */
    sqz_tables tables;
    unsigned pairs; /* words per pixel in the patch */
} sqz_dsp_tile;

void sqz_dsp_begin(sqz_dsp_tile *tile, const sqz_conv *conv, const sqz_rows *rows);

/* Widen the inputs of pixels x and x + 1 (of x twice if it is the last). */
void sqz_dsp_fill(const sqz_dsp_tile *tile, unsigned x);

/* Channels from `channel`, a multiple of four, to before `end`, of both pixels. `weights` are those of `channel`;
 * returns those of `end`. */
const int8_t *sqz_dsp_channels(const sqz_dsp_tile *tile, const int8_t *weights, unsigned channel, unsigned end,
                                int8_t *first, int8_t *second);

/* The same with weights that share no halfwords, any even `channel`. */
const int8_t *sqz_dsp_pairs(const sqz_dsp_tile *tile, const int8_t *weights, unsigned channel, unsigned end, int8_t *first,
                             int8_t *second);
#endif
