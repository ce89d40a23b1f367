/* Compressed weights of a convolution, decoded a few channels at a time into records (sqz_record.h) in the arena.
 *
 * Four weights that follow each other in a record are a quad. A quad's code is that of its mask, which says where it is
 * not zero, followed by a code for each value there is, from the first place on; both are canonical prefix codes of the
 * layer's own, whose bits come from the highest bit of each byte on. The layer's section holds
 *   the lengths of the masks' codes, 4 bits each, mask 0 in the low bits of byte 0; 15: there is no such mask
 *   uint8 for each length from 0 to value_bits: how many values have codes so long; int8 values in the codes' order
 *   for each pair of scales: int32 multiplier, little-endian, and int8 shift
 *   the stream: for each channel of a group its bias (bias_bits, signed) and the number of its scales (scale_bits); the
 *   group's quads; the next group.
 * A group is the channels of a record: four, filled up with channels of zeros, or one (sqz_conv_row_packed).
 *
 * The decoder looks up the next group_bits bits at once: `words` holds the values whose codes lie whole in them, `steps`
 * how many bits those take (low four bits) and for which places values are still to come (high four).
 *
 * Whatever the section holds, nothing outside it is read, nothing outside the memory written, and decoding ends:
 * beyond the section's end all bits are 0. */
#ifndef SQZ_UNPACK_H
#define SQZ_UNPACK_H
#include "sqz_ops.h"

#define SQZ_MASKS 16u
#define SQZ_NO_CODE 15u

/* Where bits are read. */
typedef struct sqz_bits {
    const uint8_t *at, *end;
    uint32_t next; /* the first one highest */
    unsigned have; /* how many of `next` were read */
} sqz_bits;

/* The decoder's state while a row is made. */
typedef struct sqz_unpack {
    const sqz_packed *packed;
    const sqz_requant *to;
    unsigned group, weight_bytes;  /* channels and bytes of weights of a record */
    sqz_bits bits;
    const uint8_t *scales;
    unsigned scale_count;          /* pairs of scales there are */
    int8_t *block;                 /* where records are written */
    uint32_t *words;
    int16_t *values;               /* by the next value_bits bits: 16 * value + length of its code */
    uint8_t *steps;
} sqz_unpack;

/* Make the tables of a layer and go to its first group. Returns what lies behind the memory the decoder needs: packed->block
 * channels of records, 2^group_bits * 5 + 2^value_bits * 2 bytes, up to a multiple of 8; `memory` is aligned to 8. */
void *sqz_unpack_begin(sqz_unpack *unpack, const sqz_packed *packed, const sqz_requant *to, unsigned group,
                       unsigned weight_bytes, void *memory);
void *sqz_unpack_begin_halves(sqz_unpack *unpack, const sqz_packed *packed, const sqz_requant *to, unsigned group,
                              unsigned weight_bytes, void *memory);

/* How many channels from `first` on fit the block. */
static inline unsigned sqz_block_channels(const sqz_unpack *unpack, const sqz_conv *conv, unsigned first) {
    const unsigned left = conv->out_channels - first, block = unpack->packed->block;
    return left < block ? left : block;
}

/* Decode the next groups into unpack->block; with `_halves` the weights of two channels share a halfword, as
 * sqz_tile_dsp.h says. */
void sqz_unpack_groups(sqz_unpack *unpack, unsigned groups);
void sqz_unpack_groups_halves(sqz_unpack *unpack, unsigned groups);
#endif
