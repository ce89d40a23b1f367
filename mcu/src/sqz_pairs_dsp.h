/* Pixels two by two of a convolution on a processor with SMLAD: how their inputs get into the patch.
 * Scratch besides the patch: the bytes that two pixels see of a row; if the kernel is dilated along the width, two kernel rows. */
#ifndef SQZ_PAIRS_DSP_H
#define SQZ_PAIRS_DSP_H
#include "sqz_tile_dsp.h"

/* The inputs of pixels x and x + 1, or of x twice if it is the last, to the patch. */
SQZ_CODE void sqz_dsp_fill_pair(const sqz_dsp_tile *tile, unsigned x);

/* The row's first pixels, `count` of them, whose channels are groups of four, to `out`; of an odd count the last one is written
 * twice. */
SQZ_CODE void sqz_dsp_put_pairs(sqz_dsp_tile *tile, unsigned count, int8_t *out);
#endif
