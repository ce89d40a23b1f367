/* A convolution with compressed weights and the MEAN over height and width that alone reads it. */
#include "sqz_packed.h"

void sqz_conv_mean_row_packed(const void *params, const sqz_rows *rows) {
    const sqz_conv_mean_packed *packed = params;
    const sqz_conv *conv = &packed->both.conv;
    sqz_unpack unpack;
    sqz_begin_packed(&unpack, conv, &packed->packed, rows);
    for (unsigned o = 0, count; o < conv->out_channels; o += count) {
        count = sqz_next_block(&unpack, conv, o);
        for (unsigned i = 0; i < count; ++i) {
            for (unsigned x = 0; x < conv->out_width; ++x) {
                ((int32_t *)rows->state)[o + i] += sqz_packed_value(&unpack, conv, rows, x, i);
            }
        }
    }
    sqz_conv_mean_finish(&packed->both, rows);
}
