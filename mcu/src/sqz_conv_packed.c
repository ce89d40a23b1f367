/* CONV_2D with compressed weights: the readable reference of its kind. */
#include "sqz_packed.h"

void sqz_conv_row_packed(const void *params, const sqz_rows *rows) {
    const sqz_conv_packed *both = params;
    const sqz_conv *conv = &both->conv;
    sqz_unpack unpack;
    sqz_begin_packed(&unpack, conv, &both->packed, rows);
    for (unsigned o = 0, count; o < conv->out_channels; o += count) {
        count = sqz_next_block(&unpack, conv, o);
        for (unsigned x = 0; x < conv->out_width; ++x) {
            int8_t *pixel = rows->out + (size_t)x * conv->out_stride + o;
            for (unsigned i = 0; i < count; ++i) {
                pixel[i] = sqz_packed_value(&unpack, conv, rows, x, i);
            }
        }
    }
}
