/* A convolution and its MEAN for processors with Helium: a block of channels of two pixels at a time is summed. */
#include "sqz_conv.h"
#include "sqz_tile_mve.h"

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
#endif

#define BLOCK 64u /* channels; a multiple of four */

static SQZ_NOINLINE void add(int32_t *sums, const int8_t *values, unsigned channels) {
#if defined(__ARM_FEATURE_MVE)
    for (; channels >= 4; channels -= 4, sums += 4, values += 4) {
        vst1q_s32(sums, vaddq_s32(vld1q_s32(sums), vldrbq_s32(values)));
    }
#endif
    for (; channels; --channels) {
        *sums++ += *values++;
    }
}

void sqz_conv_mean_row_mve(const void *params, const sqz_rows *rows) {
    const sqz_conv_mean *both = params;
    const sqz_conv *conv = &both->conv;
    int8_t first[BLOCK], second[BLOCK];
    sqz_mve_tile tile;
    sqz_mve_begin(&tile, conv, rows);
    for (unsigned x = 0; x < conv->out_width; x += SQZ_MVE_PIXELS) {
        sqz_mve_fill(&tile, x);
        tile.record = conv->weights;
        for (unsigned o = 0; o < conv->out_channels; o += BLOCK) {
            const unsigned count = o + BLOCK < conv->out_channels ? BLOCK : conv->out_channels - o;
            sqz_mve_channels(&tile, count, first, second);
            add((int32_t *)rows->state + o, first, count);
            if (x + 1 < conv->out_width) {
                add((int32_t *)rows->state + o, second, count);
            }
        }
    }
    sqz_conv_mean_finish(both, rows);
}
