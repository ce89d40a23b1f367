/* Two output pixels of a convolution on a processor with Helium: what the kernels of sqz_conv_mve.c share.
 *
 * The inputs of a pixel's window lie in one run of bytes, sixteen of which are multiplied at a time: where they do not
 * already (1x1, whole vectors), they are copied to a patch, and its last vector is filled up with zeros.
 *
 * Packed weights are records (sqz_record.h) of four channels; a channel that makes no group of four has its own. The
 * weights of a record: for each sixteen inputs, or what is left in the end, those of channel 0, 1, 2 and 3. They are
 * loaded as whole vectors, so 15 readable bytes follow.
 *
 * Needs shifts from -22 to -1, highest 127, lowest -128 or (RELU) the zero point.
 * Scratch: 2 * inputs rounded up to 16.
 */
#ifndef SQZ_TILE_MVE_H
#define SQZ_TILE_MVE_H
#include "sqz_window.h"

#include <string.h>

#define SQZ_MVE_PIXELS 2u

/* A convolution's row made ready. The assembly knows the offsets of all before `window`. */
typedef struct sqz_mve_tile {
    const int8_t *record, *end;   /* the next; behind those of four channels */
    int8_t *first, *second;       /* the next outputs of both pixels */
    const int8_t *inputs[2];      /* of both pixels */
    uint32_t rounds, skip;        /* of four vectors; bytes of code not run in the first */
    uint32_t tail, usual;         /* inputs in the last vector, 1 to 16; as in sqz_tile_dsp.h */
    int32_t zero_point, least;    /* sums are raised to least */
    uint32_t multipliers;         /* whether records hold some */
    sqz_window window;
    int8_t *patch;          /* of the first pixel; the second's is `stride` bytes on */
    unsigned count, stride; /* of inputs */
    unsigned four_bytes;    /* of the record of four channels */
} sqz_mve_tile;

SQZ_CODE void sqz_mve_begin(sqz_mve_tile *tile, const sqz_conv *conv, const sqz_rows *rows);

/* Find or copy the inputs of pixels x and x + 1 (of x twice if it is the last). */
SQZ_CODE void sqz_mve_fill(sqz_mve_tile *tile, unsigned x);

/* The records of four channels up to tile->end, at least one; the record of a single channel. */
void sqz_mve_fours(sqz_mve_tile *tile);
SQZ_CODE void sqz_mve_single(sqz_mve_tile *tile);

/* The next channels of both pixels, from tile->record on; a multiple of four but for the last. */
static inline void sqz_mve_channels(sqz_mve_tile *tile, unsigned channels, int8_t *first, int8_t *second) {
    tile->first = first;
    tile->second = second;
    tile->end = tile->record + channels / 4 * tile->four_bytes;
    if (channels >= 4) {
        sqz_mve_fours(tile);
    }
    for (unsigned i = channels % 4; i; --i) {
        sqz_mve_single(tile);
    }
}

/* The same where the records of the last channels are filled up to four, at most three channels being no one's. */
static inline void sqz_mve_filled_up(sqz_mve_tile *tile, unsigned channels, int8_t *first, int8_t *second) {
    const unsigned rest = channels % 4;
    sqz_mve_channels(tile, channels - rest, first, second);
    if (rest) {
        int8_t of_first[4], of_second[4];
        sqz_mve_channels(tile, 4, of_first, of_second);
        memcpy(first + (channels - rest), of_first, rest);
        memcpy(second + (channels - rest), of_second, rest);
    }
}
#endif
