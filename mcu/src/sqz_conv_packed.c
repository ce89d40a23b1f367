/* CONV_2D with compressed weights: the readable reference of its kind. */
#include "sqz_packed.h"

/* A block of channels of all pixels; `out` is the first of them. */
static void put_block(const sqz_unpack *unpack, const sqz_conv *conv, const sqz_rows *row, unsigned channels, int8_t *out) {
    for (unsigned x = 0; x < conv->out_width; ++x, out += conv->out_stride) {
        for (unsigned i = 0; i < channels; ++i) {
            out[i] = sqz_packed_value(unpack, conv, row, x, i);
        }
    }
}

void sqz_conv_row_packed(const void *params, const sqz_rows *rows) {
    const sqz_conv_packed *both = params;
    const sqz_conv *conv = &both->conv;
    sqz_unpack unpack;
    sqz_begin_packed(&unpack, conv, &both->packed, rows);
    for (unsigned o = 0, count; o < conv->out_channels; o += count) {
        count = sqz_next_block(&unpack, conv, o);
        for (unsigned i = 0; i < rows->count; ++i) {
            const sqz_rows row = sqz_row_of_band(&both->packed, rows, i);
            put_block(&unpack, conv, &row, count, row.out + o);
        }
    }
}
