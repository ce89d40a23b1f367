/* Packed weights of the fast convolutions: records that hold all that a group of channels needs, so that one pointer
 * walks through them. A record is
 *   int32 bias [channels], weights, int8 shift [channels], up to a multiple of four bytes,
 *   int32 multiplier [channels]: absent where requant.step is 0, all are 2^30 then;
 * the convolution's own bias, multiplier and shift are null. This header reads one channel of a record, for the few that
 * no group holds and for processors without the instructions. */
#ifndef SQZ_RECORD_H
#define SQZ_RECORD_H
#include "sqz_load.h"
#include "sqz_requantize.h"

/* Bytes of a record of `channels`. */
static inline size_t sqz_record_bytes(const sqz_requant *to, size_t channels, size_t weight_bytes) {
    return 4 * channels + weight_bytes + (channels + 3) / 4 * 4 + (to->step ? 4 * channels : 0);
}

static inline const int8_t *sqz_record_weights(const int8_t *record, size_t channels) {
    return record + 4 * channels;
}

static inline int32_t sqz_record_bias(const int8_t *record, size_t channel) {
    return (int32_t)sqz_load4(record + 4 * channel);
}

/* The int8 that a channel's sum, with its bias, becomes; the multipliers lie behind the shifts. */
static inline int8_t sqz_record_scale(const sqz_requant *to, const int8_t *shifts, size_t channels, size_t channel, int shift,
                                      int32_t sum) {
    const int8_t *multipliers = shifts + (channels + 3) / 4 * 4;
    const int32_t q =
        to->step ? sqz_multiply(sum, (int32_t)sqz_load4(multipliers + 4 * channel), shift) : sqz_halve(sum, shift);
    return sqz_clamp(q + to->zero_point, to->lowest, to->highest);
}

static inline int8_t sqz_record_requantize(const sqz_requant *to, const int8_t *record, size_t channels,
                                           size_t weight_bytes, size_t channel, int32_t sum) {
    const int8_t *shifts = record + 4 * channels + weight_bytes;
    return sqz_record_scale(to, shifts, channels, channel, shifts[channel], sum);
}

/* The same of the records of four channels for SMLAD (sqz_tile_dsp.h). */
static inline int8_t sqz_four_requantize(const sqz_requant *to, const int8_t *record, size_t weight_bytes, size_t channel,
                                         int32_t sum) {
    const int8_t *shifts = sqz_record_weights(record, 4) + weight_bytes;
    return sqz_record_scale(to, shifts, 4, channel, -1 - shifts[channel], sum);
}
#endif
