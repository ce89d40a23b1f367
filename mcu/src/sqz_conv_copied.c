/* CONV_2D in plain C, two pixels by four channels at a time, from windows that are copied together. */
#include "sqz_scale.h"
#include "sqz_tile_copied.h"

void sqz_conv_copied_row(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    const sqz_requant to = conv->requant;
    int8_t *pixel = rows->out;
    sqz_copied_tile tile;
    sqz_copied_begin(&tile, conv, rows);
    for (unsigned x = 0; x < conv->out_width; x += SQZ_COPIED_PIXELS, pixel += SQZ_COPIED_PIXELS * conv->out_stride) {
        const int8_t *weights = conv->weights;
        unsigned o = 0;
        int8_t *const next = sqz_copied_fill(&tile, x, SQZ_COPIED_PIXELS) == 2 ? pixel + conv->out_stride : pixel;
        for (; o + 4 <= conv->out_channels; o += 4) {
            int32_t sum[4 * SQZ_COPIED_PIXELS];
            weights = sqz_copied_four(&tile, weights, o, sum);
            for (unsigned c = 0; c < 4; ++c) {
                const sqz_scale scale = sqz_scale_of(&to, o + c);
                pixel[o + c] = sqz_by_scale(&to, &scale, sum[2 * c]);
                next[o + c] = sqz_by_scale(&to, &scale, sum[2 * c + 1]);
            }
        }
        for (; o < conv->out_channels; ++o, weights += tile.count) {
            const sqz_scale scale = sqz_scale_of(&to, o);
            pixel[o] = sqz_by_scale(&to, &scale, sqz_copied_one(&tile, 0, weights, o));
            next[o] = sqz_by_scale(&to, &scale, sqz_copied_one(&tile, 1, weights, o));
        }
    }
}
