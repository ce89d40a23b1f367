/* What the kernels of convolution share: the sum of one output value, and the mean's last step. */
#ifndef SQZ_CONV_H
#define SQZ_CONV_H
#include "sqz_requantize.h"

/* Σ over the window of output pixel x with an output channel's weights [KH, KW, I]. */
SQZ_CODE int32_t sqz_conv_sum(const sqz_conv *conv, const sqz_rows *rows, unsigned x, const int8_t *weights);

/* The int8 of output pixel x and output channel o. */
SQZ_CODE int8_t sqz_conv_value(const sqz_conv *conv, const sqz_rows *rows, unsigned x, unsigned o);

/* Bytes of an output channel's weights. */
static inline unsigned sqz_conv_inputs(const sqz_conv *conv) {
    return (unsigned)conv->kernel_h * conv->kernel_w * conv->in_channels;
}

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
