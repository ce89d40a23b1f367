/* A convolution with compressed weights on a processor with SMLAD, a band of rows at a time. */
#ifndef SQZ_PACKED_DSP_H
#define SQZ_PACKED_DSP_H
#include "sqz_conv.h"
#include "sqz_pairs_dsp.h"
#include "sqz_twos_dsp.h"
#include "sqz_unpack.h"

/* Make the decoder ready for a band. Returns where a row's patch can lie. */
static inline void *sqz_dsp_begin_packed(sqz_unpack *unpack, const sqz_conv *conv, const sqz_packed *packed,
                                         const sqz_rows *rows) {
    return sqz_unpack_begin_halves(unpack, packed, &conv->requant, 4, 8 * sqz_dsp_pairs(conv), rows->scratch);
}

/* Make row i of a band ready. */
static inline void sqz_dsp_begin_row(sqz_dsp_tile *tile, const sqz_conv *conv, const sqz_packed *packed,
                                     const sqz_rows *rows, unsigned i, void *patch) {
    const sqz_rows row = {.in = rows->in + i * packed->stride_h, .scratch = patch};
    sqz_dsp_begin(tile, conv, &row, 0);
}

/* Decode the channels from `first` on, as many as fit the block. Returns how many. */
static inline unsigned sqz_dsp_next_block(sqz_unpack *unpack, const sqz_conv *conv, unsigned first) {
    const unsigned count = sqz_block_channels(unpack, conv, first);
    sqz_unpack_groups_halves(unpack, (count + 3) / 4);
    return count;
}
#endif
