/* Two output pixels of a convolution on a processor with SMLAD where blocks of weights, four channels by two inputs, are
 * zero: sqz_tile_dsp.h with only the other blocks in flash, each with the place of its inputs.
 *
 * The weights of a record of four channels are a word, how much code is not run in the first round of blocks, and for each
 * block 12 bytes: its weights as sqz_tile_dsp.h has them, and a word that says where its inputs are, twice the bytes from the
 * patch's start, and 1 more in the last block. Records differ in length.
 */
#ifndef SQZ_TILE_DSP_SPARSE_H
#define SQZ_TILE_DSP_SPARSE_H
#include "sqz_twos_dsp.h"

#define SQZ_SPARSE_NONE 840u /* bytes of code not run where a record has no block: a round's */

/* The records of four channels for the outputs up to tile->end, at least four. */
void sqz_dsp_sparse_fours(sqz_dsp_tile *tile);

/* As sqz_dsp_channels. */
static inline void sqz_dsp_sparse_channels(sqz_dsp_tile *tile, unsigned channels, int8_t *first, int8_t *second) {
    tile->first = first;
    tile->second = second;
    tile->end = first + channels / 4 * 4;
    if (channels >= 4) {
        sqz_dsp_sparse_fours(tile);
    }
    if (channels % 4) {
        sqz_dsp_twos(tile, channels % 4);
    }
}
#endif
