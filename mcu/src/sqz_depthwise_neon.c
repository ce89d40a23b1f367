/* DEPTHWISE_CONV_2D of one input channel an output channel, for 64-bit ARM: sixteen channels at a time, or eight where there
 * are fewer than sixteen.
 *
 * For each output pixel the places of its taps are found once for all channels; outside the image is a pixel of zero points.
 * Products of two taps are added as int16, so no weight is -128. Weights: records (sqz_record.h) of the channels
 * done at a time, [KH, KW, channels]; the last begins so early that it ends with the last channel.
 *
 * Needs shifts from -31 to -1, eight channels or more.
 * Scratch: SQZ_POINTER_BYTES a tap, a pixel. */
#include "sqz_neon.h"
#include "sqz_taps.h"

#if defined(SQZ_NEON)

/* Adds the products of one tap or of two; `at` is the first channel. */
SQZ_INLINE void add(const int8_t *const *tap, const int8_t *weights, const int two, unsigned at, const unsigned eights,
                    int32x4_t *sum) {
    SQZ_UNROLL for (unsigned i = 0; i < eights; ++i) {
        int16x8_t product = vmull_s8(vld1_s8(tap[0] + at + 8 * i), vld1_s8(weights + 8 * i));
        if (two) {
            product = vmlal_s8(product, vld1_s8(tap[1] + at + 8 * i), vld1_s8(weights + 8 * (eights + i)));
        }
        sum[2 * i] = vaddw_s16(sum[2 * i], vget_low_s16(product));
        sum[2 * i + 1] = vaddw_high_s16(sum[2 * i + 1], product);
    }
}

/* The channels of a record, from `at` on. */
SQZ_INLINE void channels(const sqz_taps *of, const int8_t *record, sqz_neon_scale *scale, unsigned at, const unsigned eights,
                         int8_t *out) {
    const unsigned size = 8 * eights;
    const int8_t *weights = record + 4 * size, *const *tap = of->taps;
    const int8_t *shifts = weights + of->count * size, *multipliers = of->conv->requant.step ? shifts + size : NULL;
    int32x4_t sum[4];
    SQZ_UNROLL for (unsigned i = 0; i < 2 * eights; ++i) {
        sum[i] = sqz_neon_words(record + 16 * i);
    }
    unsigned left = of->count;
    for (; left >= 2; left -= 2, tap += 2, weights += 2 * size) {
        add(tap, weights, 1, at, eights, sum);
    }
    if (left) {
        add(tap, weights, 0, at, eights, sum);
    }
    SQZ_UNROLL for (unsigned i = 0; i < eights; ++i) {
        sqz_neon_factors(scale, shifts + 8 * i, multipliers ? multipliers + 32 * i : NULL);
        const int8x8_t eight = vqmovn_s16(sqz_neon_eight(sum + 2 * i, scale));
        const int8x8_t raised = vmax_s8(eight, vget_low_s8(scale->lowest));
        vst1_s8(out + at + 8 * i, vmin_s8(raised, vget_low_s8(scale->highest)));
    }
}

SQZ_INLINE void pixel(const sqz_taps *of, const unsigned eights, int8_t *out) {
    const sqz_requant *to = &of->conv->requant;
    const unsigned size = 8 * eights, last = of->conv->out_channels - size;
    const size_t record_bytes = sqz_record_bytes(to, size, of->count * size);
    const int8_t *record = of->conv->weights;
    sqz_neon_scale scale;
    sqz_neon_limits(&scale, to);
    for (unsigned at = 0; at < last; at += size, record += record_bytes) {
        channels(of, record, &scale, at, eights, out);
    }
    channels(of, record, &scale, last, eights, out);
}

static void sixteens(const sqz_taps *of, int8_t *out) {
    pixel(of, 2, out);
}

static void eights(const sqz_taps *of, int8_t *out) {
    pixel(of, 1, out);
}

#else

static void pixel(const sqz_taps *of, unsigned size, int8_t *out) {
    const sqz_requant *to = &of->conv->requant;
    const size_t bytes = of->count * size;
    const int8_t *record = of->conv->weights;
    const unsigned channels = of->conv->out_channels;
    for (unsigned first = 0; first < channels; first += size, record += sqz_record_bytes(to, size, bytes)) {
        const unsigned at = first + size > channels ? channels - size : first;
        for (unsigned c = 0; c < size; ++c) {
            int32_t sum = sqz_record_bias(record, c);
            for (unsigned i = 0; i < of->count; ++i) {
                sum += of->taps[i][at + c] * sqz_record_weights(record, size)[i * size + c];
            }
            out[at + c] = sqz_record_requantize(to, record, size, bytes, c, sum);
        }
    }
}

static void sixteens(const sqz_taps *of, int8_t *out) {
    pixel(of, 16, out);
}

static void eights(const sqz_taps *of, int8_t *out) {
    pixel(of, 8, out);
}

#endif

void sqz_depthwise_row_neon(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    sqz_taps of;
    sqz_taps_begin(&of, conv, rows, (unsigned)conv->kernel_h * conv->kernel_w);
    int8_t *out = rows->out;
    for (unsigned x = 0; x < conv->out_width; ++x, out += conv->out_stride) {
        sqz_taps_turn(&of, x ? x - 1 : 0, x);
        (conv->out_channels >= 16 ? sixteens : eights)(&of, out);
    }
}
