/* The last output pixel of an odd row on a processor with SMLAD: what sqz_tile_dsp.h does for two pixels, for one. */
#ifndef SQZ_ONE_DSP_H
#define SQZ_ONE_DSP_H
#include "sqz_tile_dsp.h"

/* Of kernel rows and channels that make whole groups of four. All channels of output pixel x from tile->record on,
 * to `out`; the tile can do nothing after it. */
void sqz_dsp_one(sqz_dsp_tile *tile, unsigned x, unsigned channels, int8_t *out);
#endif
