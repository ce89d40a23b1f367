/* A convolution and the MEAN that alone reads it, as sqz_conv_mean.c, from windows that are copied together. */
#include "sqz_conv.h"
#include "sqz_scale.h"
#include "sqz_tile_copied.h"

void sqz_conv_mean_copied_row(const void *params, const sqz_rows *rows) {
    const sqz_conv_mean *both = params;
    const sqz_conv *conv = &both->conv;
    const sqz_requant to = conv->requant;
    int32_t *const sums = rows->state;
    sqz_copied_tile tile;
    sqz_copied_begin(&tile, conv, rows);
    for (unsigned x = 0; x < conv->out_width; x += SQZ_COPIED_PIXELS) {
        const int8_t *weights = conv->weights;
        const unsigned pixels = sqz_copied_fill(&tile, x, SQZ_COPIED_PIXELS);
        unsigned o = 0;
        for (; o + 4 <= conv->out_channels; o += 4) {
            int32_t sum[4 * SQZ_COPIED_PIXELS];
            weights = sqz_copied_four(&tile, weights, o, sum);
            for (unsigned c = 0; c < 4; ++c) {
                const sqz_scale scale = sqz_scale_of(&to, o + c);
                sums[o + c] += sqz_by_scale(&to, &scale, sum[2 * c]);
                sums[o + c] += pixels == 2 ? sqz_by_scale(&to, &scale, sum[2 * c + 1]) : 0;
            }
        }
        for (; o < conv->out_channels; ++o, weights += tile.count) {
            const sqz_scale scale = sqz_scale_of(&to, o);
            for (unsigned i = 0; i < pixels; ++i) {
                sums[o] += sqz_by_scale(&to, &scale, sqz_copied_one(&tile, i, weights, o));
            }
        }
    }
    sqz_conv_mean_finish(both, rows);
}
