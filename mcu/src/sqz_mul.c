/* MUL. */
#include "sqz_requantize.h"

void sqz_mul_row(const void *params, const sqz_rows *rows) {
    const sqz_mul *mul = params;
    const int8_t *a = rows->in[0], *b = mul->second.constant ? mul->second.constant : rows->in[1];
    int8_t *out = rows->out;
    for (unsigned x = 0; x < mul->width; ++x, b += mul->second.step, out += mul->out_stride) {
        for (unsigned c = 0; c < mul->channels; ++c) {
            const int32_t product = (*a++ - mul->zero_point_a) * (b[c] - mul->zero_point_b);
            out[c] = sqz_requantize(&mul->requant, product, 0);
        }
    }
}
