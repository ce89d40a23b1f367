/* CONV_2D in plain C, four channels at a time. */
#include "sqz_requantize.h"
#include "sqz_tile_plain.h"

/* From sums to the int8 of `channels` channels of both pixels. */
static void put(const sqz_conv *conv, const int32_t *sum, unsigned o, unsigned channels, int8_t *first,
                int8_t *second) {
    for (unsigned c = o; c < o + channels; ++c, sum += SQZ_PLAIN_PIXELS) {
        first[c] = sqz_requantize(&conv->requant, sum[0], c);
        second[c] = sqz_requantize(&conv->requant, sum[1], c);
    }
}

void sqz_conv_four_row(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    int8_t *pixel = rows->out;
    sqz_plain_tile tile;
    sqz_plain_begin(&tile, conv, rows);
    for (unsigned x = 0; x < conv->out_width; x += SQZ_PLAIN_PIXELS, pixel += SQZ_PLAIN_PIXELS * conv->out_stride) {
        int8_t *next = x + 1 < conv->out_width ? pixel + conv->out_stride : pixel;
        const int8_t *weights = conv->weights;
        int32_t sum[SQZ_PLAIN_SUMS];
        unsigned o = 0;
        sqz_plain_fill(&tile, x);
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
