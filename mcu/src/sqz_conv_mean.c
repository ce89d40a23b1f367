/* A convolution and the MEAN over height and width that alone reads it. The int8 that the convolution would have
 * stored are summed in `state`, so the result is what both operators give. */
#include "sqz_conv.h"

static SQZ_CODE void add_row(const sqz_conv *conv, const sqz_rows *rows) {
    int32_t *sums = rows->state;
    for (unsigned x = 0; x < conv->out_width; ++x) {
        for (unsigned o = 0; o < conv->out_channels; ++o) {
            sums[o] += sqz_conv_value(conv, rows, x, o);
        }
    }
}

void sqz_conv_mean_row(const void *params, const sqz_rows *rows) {
    const sqz_conv_mean *both = params;
    add_row(&both->conv, rows);
    sqz_conv_mean_finish(both, rows);
}
