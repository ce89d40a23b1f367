/* DEPTHWISE_CONV_2D of maps one pixel wide, as of sounds, for processors with Helium: eight channels at a time, with
 * the records of sqz_depthwise_mve.c. No scratch. */
#include "sqz_load.h"
#include "sqz_requantize.h"

#define GROUP 8u /* channels */
#define SHIFTS 32u /* bytes of a record before its shifts, multipliers, weights */
#define MULTIPLIERS 40u
#define WEIGHTS 72u

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

static inline int16x8_t product(const int8_t *inputs, const int8_t *weights) {
    return vmulq_s16(vldrbq_s16(inputs), vldrbq_s16(weights));
}

static inline int32x4_t scaled(int32x4_t sum, const int8_t *record, unsigned first) {
    const int32x4_t multiplier = vldrwq_s32((const int32_t *)(const void *)(record + MULTIPLIERS) + first);
    const int32x4_t high = vqrdmulhq_s32(sum, multiplier);
    return vrshlq_s32(vaddq_s32(high, vshrq_n_s32(high, 31)), vldrbq_s32(record + SHIFTS + first));
}

/* Eight channels from c on; a row that is not there is `outside`. */
static void channels(const sqz_conv *conv, const int8_t *const *in, const int8_t *record, unsigned c,
                     const int8_t *outside, int8_t *out) {
    const sqz_requant *to = &conv->requant;
    const unsigned step = conv->dilation_h;
    const int8_t *weights = record + WEIGHTS;
    int32x4_t even = vldrwq_s32((const int32_t *)(const void *)record);
    int32x4_t odd = vldrwq_s32((const int32_t *)(const void *)record + 4);
    for (unsigned left = conv->kernel_h; left;) {
        int16x8_t sum = product(*in ? *in + c : outside, weights);
        in += step;
        weights += GROUP;
        if (--left) {
            sum = vaddq_s16(sum, product(*in ? *in + c : outside, weights));
            in += step;
            weights += GROUP;
            --left;
        }
        even = vaddq_s32(even, vmovlbq_s16(sum));
        odd = vaddq_s32(odd, vmovltq_s16(sum));
    }
    int16x8_t q = vqmovnbq_s32(vdupq_n_s16(0), scaled(even, record, 0));
    q = vqaddq_n_s16(vqmovntq_s32(q, scaled(odd, record, 4)), to->zero_point);
    vstrbq_s16(out, vminq_s16(vmaxq_s16(q, vdupq_n_s16(to->lowest)), vdupq_n_s16(to->highest)));
}

#else

static void channels(const sqz_conv *conv, const int8_t *const *in, const int8_t *record, unsigned c,
                     const int8_t *outside, int8_t *out) {
    const sqz_requant *to = &conv->requant;
    for (unsigned i = 0; i < GROUP; ++i) {
        const unsigned place = i / 2 + i % 2 * 4; /* in the tables */
        int32_t sum = (int32_t)sqz_load4(record + 4 * place);
        for (unsigned k = 0; k < conv->kernel_h; ++k) {
            const int8_t *row = in[k * conv->dilation_h];
            sum += (row ? row[c + i] : outside[i]) * record[WEIGHTS + k * GROUP + i];
        }
        const int32_t multiplier = (int32_t)sqz_load4(record + MULTIPLIERS + 4 * place);
        const int32_t q = sqz_multiply(sum, multiplier, record[SHIFTS + place]) + to->zero_point;
        out[i] = sqz_clamp(q, to->lowest, to->highest);
    }
}

#endif

void sqz_depthwise_column_row_mve(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    const int8_t zero = conv->input_zero_point, outside[GROUP] = {zero, zero, zero, zero, zero, zero, zero, zero};
    const int8_t *record = conv->weights;
    for (unsigned c = 0; c < conv->out_channels; c += GROUP, record += WEIGHTS + GROUP * conv->kernel_h) {
        const unsigned first = c + GROUP <= conv->out_channels ? c : conv->out_channels - GROUP;
        channels(conv, rows->in, record, first, outside, rows->out + first);
    }
}
