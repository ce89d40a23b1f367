/* MINIMUM and MAXIMUM. */
#include "sqz_ops.h"

void sqz_extreme_row(const void *params, const sqz_rows *rows) {
    const sqz_extreme *extreme = params;
    const int8_t *a = rows->in[0], *b = extreme->second.constant ? extreme->second.constant : rows->in[1];
    int8_t *out = rows->out;
    for (unsigned x = 0; x < extreme->width; ++x, b += extreme->second.step, out += extreme->out_stride) {
        for (unsigned c = 0; c < extreme->channels; ++c, ++a) {
            out[c] = (*a > b[c]) == extreme->larger ? *a : b[c];
        }
    }
}
