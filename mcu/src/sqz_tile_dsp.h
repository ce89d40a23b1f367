/* Two output pixels of a convolution on a processor with SMLAD: what the kernels of sqz_conv_dsp.c share.
 *
 * The inputs of both pixels are widened to int16 in a patch, once for all channels: for each pair of inputs one word
 * of the first pixel, one of the second. What the image has outside is taken off each, so that there is 0; the records'
 * biases make up for it. The order of inputs is first all groups of four bytes of
 * each kernel row, as (0, 2), (1, 3), then the bytes left over of each, and a zero if they are odd. If none are left over,
 * kernel rows above and below the image can be left out.
 *
 * Packed weights are records (sqz_record.h) of four channels; what makes no group of four has records of two, the last
 * with a channel of zeros if they are odd. The weights of four channels: for each pair of inputs two halfwords of
 * channels 0 and 1, two of 2 and 3. A halfword is 256 * second + first. SMLAD of the whole halfword sums
 * 256 * S1 + S0, SMLAD of its sign-extended low byte S0, so only every other weight has to be unpacked. That is exact
 * modulo 2^32 while |S1| < 2^23, which the packer proves (else there are records of two channels only, for
 * sqz_conv_row_dsp_wide). So are the biases: of channels 1 and 3 the records hold 256 times their own and that of 0, of 2; and
 * of each shift what it is to the right, less one. The weights of two channels are plain bytes: of both for one input, of both for the next.
 *
 * Needs shifts from -22 to -1, highest 127, lowest -128 or (RELU) the zero point.
 * Scratch: 4 bytes per input of the window, rounded up to an even number, + bytes of a kernel row, or if an input pixel's
 * channels are no groups of four twice those and the channels.
 */
#ifndef SQZ_TILE_DSP_H
#define SQZ_TILE_DSP_H
#include "sqz_window.h"

#define SQZ_DSP_PIXELS 2u

/* A convolution's row made ready. The assembly knows the order of all before `window`. */
typedef struct sqz_dsp_tile {
    int8_t *first, *second;           /* the next outputs of both pixels */
    const int8_t *end;                /* behind the records of four channels */
    uint32_t *patch;
    uint32_t skip;                    /* bytes of code not run in the first round */
    uint32_t before;                  /* bytes of weights of kernel rows left out above, in a record of four channels */
    uint32_t *patch_end;
    uint32_t after;                   /* the same below */
    int32_t odd;                      /* 2 * zero point + 1: shifted, it is zero point and rounding */
    uint32_t usual;                   /* whether the zero point is -128, and records hold multipliers */
    uint32_t relu, multipliers;       /* whether what is negative becomes the zero point; whether records hold some */
    const int8_t *record;             /* the next */
    sqz_window window;
    unsigned pairs;                   /* words per pixel in the patch */
    unsigned four_bytes;              /* of the record of four channels */
    uint32_t centre;                  /* what is outside the image, negated, as two int16 */
} sqz_dsp_tile;

/* Words for each pixel in the patch. */
static inline unsigned sqz_dsp_pairs(const sqz_conv *conv) {
    const unsigned rows = conv->kernel_h, bytes = (unsigned)conv->kernel_w * conv->in_channels;
    return rows * (bytes / 4) * 2 + (rows * (bytes % 4) + 1) / 2;
}

/* Makes a row ready, with all kernel rows or without those outside the image, if that can be. */
SQZ_CODE void sqz_dsp_begin(sqz_dsp_tile *tile, const sqz_conv *conv, const sqz_rows *rows, int all_rows);

/* The records of four channels up to tile->end, at least one. */
void sqz_dsp_fours(sqz_dsp_tile *tile);

/* The next channels of both pixels, from tile->record on, a multiple of four. */
static inline SQZ_CODE void sqz_dsp_put_fours(sqz_dsp_tile *tile, unsigned channels, int8_t *first, int8_t *second) {
    tile->first = first;
    tile->second = second;
    tile->end = tile->record + channels / 4 * tile->four_bytes;
    sqz_dsp_fours(tile);
}
#endif
