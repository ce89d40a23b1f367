/* Sums over the pixels of a row, channel by channel: what averages are made of. */
#ifndef SQZ_ADD_PIXELS_H
#define SQZ_ADD_PIXELS_H
#include "sqz_ops.h"

/* sums[c] += channel c of each of `pixels` pixels, for `count` channels from `in`; a pixel has `channels`. */
SQZ_CODE void sqz_add_pixels(const int8_t *in, unsigned pixels, unsigned channels, unsigned count, int32_t *sums);
#endif
