/* What the kernels of convolution share: the sum of one output value, and the mean's last step. */
#ifndef SQZ_CONV_H
#define SQZ_CONV_H
#include "sqz_requantize.h"

/* bias + Σ over the window of output pixel x for output channel o. */
int32_t sqz_conv_sum(const sqz_conv *conv, const sqz_rows *rows, unsigned x, unsigned o);

/* The last step of a convolution with its MEAN, in the firing that has an output: from the sums in `state` to int8. */
static inline void sqz_conv_mean_finish(const sqz_conv_mean *both, const sqz_rows *rows) {
    if (rows->out) {
        const int32_t *sums = rows->state;
        for (unsigned o = 0; o < both->conv.out_channels; ++o) {
            rows->out[o] = sqz_requantize(&both->mean, sums[o] - both->zero_sum, o);
        }
    }
}

#endif
