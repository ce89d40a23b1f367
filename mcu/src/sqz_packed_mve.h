/* A convolution with compressed weights on a processor with Helium, made ready for a row. */
#ifndef SQZ_PACKED_MVE_H
#define SQZ_PACKED_MVE_H
#include "sqz_conv.h"
#include "sqz_tile_mve.h"
#include "sqz_unpack.h"

static inline void sqz_mve_begin_packed(sqz_mve_tile *tile, sqz_unpack *unpack, const sqz_conv *conv,
                                        const sqz_packed *packed, const sqz_rows *rows) {
    sqz_rows own = *rows;
    own.scratch = sqz_unpack_begin(unpack, packed, &conv->requant, 4, 4 * sqz_conv_inputs(conv), rows->scratch);
    sqz_mve_begin(tile, conv, &own);
}

/* Decode the channels from `first` on, as many as fit the block. Returns how many. */
static inline unsigned sqz_mve_next_block(sqz_unpack *unpack, const sqz_conv *conv, unsigned first) {
    const unsigned left = conv->out_channels - first, block = unpack->packed->block;
    const unsigned count = left < block ? left : block;
    sqz_unpack_groups(unpack, (count + 3) / 4);
    return count;
}
#endif
