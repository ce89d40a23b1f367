/* A convolution with compressed weights and the MEAN over height and width that alone reads it. */
#include "sqz_packed.h"

/* A block of channels of all pixels. */
static void add_block(const sqz_unpack *unpack, const sqz_conv *conv, const sqz_rows *row, unsigned channels, int32_t *sums) {
    for (unsigned i = 0; i < channels; ++i) {
        for (unsigned x = 0; x < conv->out_width; ++x) {
            sums[i] += sqz_packed_value(unpack, conv, row, x, i);
        }
    }
}

void sqz_conv_mean_row_packed(const void *params, const sqz_rows *rows) {
    const sqz_conv_mean_packed *packed = params;
    const sqz_conv *conv = &packed->both.conv;
    sqz_unpack unpack;
    sqz_begin_packed(&unpack, conv, &packed->packed, rows);
    for (unsigned o = 0, count; o < conv->out_channels; o += count) {
        count = sqz_next_block(&unpack, conv, o);
        for (unsigned i = 0; i < rows->count; ++i) {
            const sqz_rows row = sqz_row_of_band(&packed->packed, rows, i);
            add_block(&unpack, conv, &row, count, (int32_t *)rows->state + o);
        }
    }
    sqz_conv_mean_finish(&packed->both, rows);
}
