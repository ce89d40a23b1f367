/* A convolution and the MEAN that alone reads it, as sqz_conv_mean.c, for Cortex-M0 and M0+. */
#include "sqz_conv.h"
#include "sqz_dot.h"
#include "sqz_scale.h"
#include "sqz_tile_copied.h"

void sqz_conv_mean_thumb_row(const void *params, const sqz_rows *rows) {
    const sqz_conv_mean *both = params;
    const sqz_conv *conv = &both->conv;
    const sqz_requant to = conv->requant;
    int32_t *const sums = rows->state;
    sqz_copied_tile tile;
    sqz_copied_begin(&tile, conv, rows);
    for (unsigned x = 0; x < conv->out_width; ++x) {
        const int8_t *weights = conv->weights;
        unsigned o = 0;
        (void)sqz_copied_fill(&tile, x, 1);
        const uint32_t taken = 128u * (uint32_t)sqz_sum(tile.inputs[0], tile.count);
        for (; o + 4 <= conv->out_channels; o += 4) {
            int32_t sum[4];
            weights = sqz_thumb_four(&tile, weights, o, taken, sum);
            for (unsigned c = 0; c < 4; ++c) {
                const sqz_scale scale = sqz_scale_of(&to, o + c);
                sums[o + c] += sqz_by_scale(&to, &scale, sum[c]);
            }
        }
        for (; o < conv->out_channels; ++o, weights += tile.count) {
            const sqz_scale scale = sqz_scale_of(&to, o);
            sums[o] += sqz_by_scale(&to, &scale, sqz_copied_one(&tile, 0, weights, o));
        }
    }
    sqz_conv_mean_finish(both, rows);
}
