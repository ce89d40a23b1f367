/* A convolution with compressed weights on any processor: each channel is a record of its own. */
#ifndef SQZ_PACKED_H
#define SQZ_PACKED_H
#include "sqz_conv.h"
#include "sqz_record.h"
#include "sqz_unpack.h"

static inline void sqz_begin_packed(sqz_unpack *unpack, const sqz_conv *conv, const sqz_packed *packed, const sqz_rows *rows) {
    const unsigned weight_bytes = (sqz_conv_inputs(conv) + 3) / 4 * 4;
    (void)sqz_unpack_begin(unpack, packed, &conv->requant, 1, weight_bytes, rows->scratch);
}

/* Decode the channels from `first` on, as many as fit the block. Returns how many. */
static inline unsigned sqz_next_block(sqz_unpack *unpack, const sqz_conv *conv, unsigned first) {
    const unsigned count = sqz_block_channels(unpack, conv, first);
    sqz_unpack_groups(unpack, count);
    return count;
}

/* The rows that firing i of a band sees. */
static inline sqz_rows sqz_row_of_band(const sqz_packed *packed, const sqz_rows *rows, unsigned i) {
    return (sqz_rows){.in = rows->in + i * packed->stride_h, .out = rows->outs[i]};
}

/* The int8 of output pixel x and channel i of the block. */
static inline int8_t sqz_packed_value(const sqz_unpack *unpack, const sqz_conv *conv, const sqz_rows *rows, unsigned x,
                                      unsigned i) {
    const int8_t *record = unpack->block + i * sqz_record_bytes(&conv->requant, 1, unpack->weight_bytes);
    const int32_t sum = sqz_record_bias(record, 0) + sqz_conv_sum(conv, rows, x, sqz_record_weights(record, 1));
    return sqz_record_requantize(&conv->requant, record, 1, unpack->weight_bytes, 0, sum);
}
#endif
