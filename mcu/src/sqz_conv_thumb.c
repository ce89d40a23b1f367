/* CONV_2D for Cortex-M0 and M0+, one pixel by four channels at a time. */
#include "sqz_dot.h"
#include "sqz_scale.h"
#include "sqz_tile_copied.h"

void sqz_conv_thumb_row(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    const sqz_requant to = conv->requant;
    int8_t *pixel = rows->out;
    sqz_copied_tile tile;
    sqz_copied_begin(&tile, conv, rows);
    for (unsigned x = 0; x < conv->out_width; ++x, pixel += conv->out_stride) {
        const int8_t *weights = conv->weights;
        unsigned o = 0;
        (void)sqz_copied_fill(&tile, x, 1);
        const uint32_t taken = 128u * (uint32_t)sqz_sum(tile.inputs[0], tile.count);
        for (; o + 4 <= conv->out_channels; o += 4) {
            int32_t sum[4];
            weights = sqz_thumb_four(&tile, weights, o, taken, sum);
            for (unsigned c = 0; c < 4; ++c) {
                const sqz_scale scale = sqz_scale_of(&to, o + c);
                pixel[o + c] = sqz_by_scale(&to, &scale, sum[c]);
            }
        }
        for (; o < conv->out_channels; ++o, weights += tile.count) {
            const sqz_scale scale = sqz_scale_of(&to, o);
            pixel[o] = sqz_by_scale(&to, &scale, sqz_copied_one(&tile, 0, weights, o));
        }
    }
}
