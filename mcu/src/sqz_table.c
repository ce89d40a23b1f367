/* Functions of each value, looked up: LOGISTIC, HARD_SWISH, a constant added … */
#include "sqz_ops.h"

void sqz_table_row(const void *params, const sqz_rows *rows) {
    const sqz_table *by = params;
    const int8_t *in = rows->in[0], *const table = by->table;
    int8_t *out = rows->out;
    for (unsigned x = 0; x < by->width; ++x, out += by->out_stride) {
        for (unsigned c = 0; c < by->channels; ++c) {
            out[c] = table[(uint8_t)*in++];
        }
    }
}
