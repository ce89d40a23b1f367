/* A 3 x 3 convolution of stride 1 with fewer products, for processors with SMLAD: two rows by four pixels of a channel from
 * 24 products for each input instead of 72 (Winograd's F(2 x 2, 3 x 3) down, F(4 x 4, 3 x 3) along the rows).
 *
 * All is integer, modulo 2^32. Weights transformed are [1 0 0; 1 1 1; 1 -1 1; 0 0 1] down and [1 0 0; 1 1 1; 1 -1 1;
 * 1 2 4; 1 -2 4; 0 0 1] along, at most 2,688; inputs at most 2,560: both fit a halfword. The fractions that Winograd's
 * matrices have are in the output's instead: its sums are 48, 24, 12 and 12 times the convolution's. The power of two is
 * shifted out, three is divided out by its inverse modulo 2^32, which is exact while the convolution's sum is below
 * 2^27 / 3; the compiler proves it.
 *
 * Words hold two channels, those of bytes 0 and 2 or 1 and 3. What is transformed lies
 *   inputs: [pair of tiles, pair of channels, 24, 2 tiles],  weights: [pair of channels, 24, 4 outputs],
 * and the sums of a pair of tiles [24, 4 outputs, 2 tiles], where 24 is [4 rows, 6 columns].
 */
#ifndef SQZ_WINOGRAD_DSP_H
#define SQZ_WINOGRAD_DSP_H
#include "sqz_ops.h"

#define SQZ_TILE_ROWS 2u
#define SQZ_TILE_COLUMNS 4u
#define SQZ_PRODUCTS 24u
#define SQZ_IN_COLUMNS 6u
#define SQZ_IN_ROWS 4u

/* Two channels of a tile's inputs, pixels side by side, `pixel` bytes each; to every second word. Of each pixel's four bytes
 * those of `shift` 0 or 8 bits on. */
SQZ_CODE void sqz_winograd_inputs(uint32_t *to, const int8_t *from, unsigned pixel, unsigned shift);

/* Weights of one output; to every fourth word. Of each pair of channels 18 bytes: weights 0 and 1 of the first channel, of
 * the second, 2 and 3, 4 and 5, 6 and 7 likewise, 8 of both. */
void sqz_winograd_weights(uint32_t *to, const int8_t *from, unsigned pairs);

/* The sums of four outputs and two tiles over all pairs of channels, 8 words for each of the 24 products. */
void sqz_winograd_sums(const uint32_t *weights, const uint32_t *inputs, uint32_t *sums, unsigned pairs);

/* How an output's sums become int8: twice the bias, the multiplier, 2 * zero point + 1 shifted left by `shift`, which is the
 * shift to the right, less one. */
typedef struct sqz_winograd_scale {
    int32_t bias, multiplier, rounding, shift;
} sqz_winograd_scale;

/* Where a tile of four outputs goes, and how. The assembly knows the order. */
typedef struct sqz_winograd_tile {
    const sqz_winograd_scale *scale;
    uint32_t usual;     /* whether the zero point is -128: what is negative saturates, however it is rounded */
    uint32_t third;     /* SQZ_THIRD */
    uint32_t stride;    /* bytes from a pixel to the next */
    int8_t *rows[SQZ_TILE_ROWS];
    uint32_t relu;      /* whether what is negative becomes the zero point */
} sqz_winograd_tile;

#define SQZ_THIRD 0xAAAAAAABu /* 3 * SQZ_THIRD is 1 modulo 2^32 */

/* The int8 of four outputs of a tile, from every second of its sums. */
void sqz_winograd_outputs(const uint32_t *sums, const sqz_winograd_tile *tile);

#endif
