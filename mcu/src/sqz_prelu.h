/* One pixel of PRELU. */
#ifndef SQZ_PRELU_H
#define SQZ_PRELU_H
#include "sqz_requantize.h"

static inline void sqz_prelu_pixel(const sqz_prelu *prelu, const int8_t *in, const int8_t *slopes, int8_t *out) {
    for (unsigned c = 0; c < prelu->channels; ++c) {
        const int32_t a = in[c] - prelu->input_zero_point;
        out[c] = a >= 0 ? sqz_requantize(&prelu->positive, a, 0)
                        : sqz_requantize(&prelu->negative, a * (slopes[c] - prelu->slope_zero_point), 0);
    }
}
#endif
