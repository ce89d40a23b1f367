/* Sums of one run of inputs with the weights of four channels, for processors with SMLAD. */
#ifndef SQZ_SUMS_DSP_H
#define SQZ_SUMS_DSP_H
#include "sqz_ops.h"

/* Widens inputs to int16, each four bytes as (0, 2), (1, 3) and what is left of the last four as zeros; returns the
 * words. */
SQZ_CODE unsigned sqz_dsp_widen(uint32_t *to, const int8_t *from, unsigned count);

/* The sums of four channels, whose weights lie two channels in a halfword as sqz_tile_dsp.h says; of channels 1 and
 * 3 below 2^23. */
void sqz_dsp_four_sums(const int8_t *weights, const uint32_t *inputs, unsigned pairs, int32_t *sums);

/* The sum of one channel, whose weights are `count` plain bytes. */
int32_t sqz_dsp_one_sum(const int8_t *weights, const uint32_t *inputs, unsigned count);
#endif
