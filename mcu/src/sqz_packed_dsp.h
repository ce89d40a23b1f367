/* A convolution with compressed weights on a processor with SMLAD, made ready for a row. */
#ifndef SQZ_PACKED_DSP_H
#define SQZ_PACKED_DSP_H
#include "sqz_conv.h"
#include "sqz_tile_dsp.h"
#include "sqz_unpack.h"

static inline void sqz_dsp_begin_packed(sqz_dsp_tile *tile, sqz_unpack *unpack, const sqz_conv *conv,
                                        const sqz_packed *packed, const sqz_rows *rows) {
    sqz_rows own = *rows;
    own.scratch = sqz_unpack_begin_halves(unpack, packed, &conv->requant, 4, 8 * sqz_dsp_pairs(conv), rows->scratch);
    sqz_dsp_begin(tile, conv, &own);
}

/* Decode the channels from `first` on, as many as fit the block. Returns how many. */
static inline unsigned sqz_dsp_next_block(sqz_unpack *unpack, const sqz_conv *conv, unsigned first) {
    const unsigned left = conv->out_channels - first, block = unpack->packed->block;
    const unsigned count = left < block ? left : block;
    sqz_unpack_groups_halves(unpack, (count + 3) / 4);
    return count;
}
#endif
