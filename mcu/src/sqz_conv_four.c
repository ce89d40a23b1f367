/* CONV_2D in plain C, four channels at a time. */
#include "sqz_requantize.h"
#include "sqz_tile_plain.h"

/* From sums to the int8 of `channels` channels of one pixel or, if the second is not null, two. */
static void put(const sqz_conv *conv, const int32_t *sum, unsigned o, unsigned channels, int8_t *first,
                int8_t *second) {
    for (unsigned c = o; c < o + channels; ++c, sum += SQZ_PLAIN_PIXELS) {
        first[c] = sqz_requantize(&conv->requant, sum[0], c);
        if (second) {
            second[c] = sqz_requantize(&conv->requant, sum[1], c);
        }
    }
}

void sqz_conv_four_row(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    int8_t *pixel = rows->out;
    sqz_plain_tile tile;
    sqz_plain_begin(&tile, conv, rows);
    for (unsigned x = 0, pixels; x < conv->out_width; x += pixels, pixel += pixels * conv->out_stride) {
        const int8_t *weights = conv->weights;
        int32_t sum[SQZ_PLAIN_SUMS];
        unsigned o = 0;
        pixels = sqz_plain_turn(&tile, x);
        int8_t *const next = pixels == 2 ? pixel + conv->out_stride : NULL;
        for (; o + 4 <= conv->out_channels; o += 4) {
            weights = sqz_plain_four(&tile, weights, o, sum);
            put(conv, sum, o, 4, pixel, next);
        }
        for (; o < conv->out_channels; ++o) {
            weights = sqz_plain_one(&tile, weights, o, sum);
            put(conv, sum, o, 1, pixel, next);
        }
    }
}
