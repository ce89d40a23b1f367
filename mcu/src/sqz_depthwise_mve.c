/* DEPTHWISE_CONV_2D without a depth multiplier, for processors with Helium: two output pixels by eight channels at a time.
 *
 * Products of int8 fit 16 bits, and so do sums of two: those are widened and added, even channels and odd ones apart.
 * A pixel whose window leaves the image is computed alone, from a copy of its window.
 *
 * The weights are records of eight channels, the last of which overlap those before if they are no multiple of eight:
 *   int32 bias, int8 shift, int32 multiplier [8], each of the even channels, then of the odd, int8 weights [KH, KW, 8];
 * bias, multiplier and shift of the convolution are null.
 *
 * Needs at least eight channels, weights above -128, shifts from -22 to -1 and no dilation along the width.
 * Scratch: kernel_h * kernel_w * channels. */
#include "sqz_load.h"
#include "sqz_requantize.h"
#include "sqz_window.h"

#define GROUP 8u /* channels */
#define SHIFTS 32u /* bytes of a record before its shifts, multipliers, weights */
#define MULTIPLIERS 40u
#define WEIGHTS 72u

/* Where the inputs of one or two pixels lie. */
typedef struct place {
    const int8_t *const *in; /* rows, or null: the window lies row after row at `from` */
    const int8_t *from;
    int offset, step;        /* from a row's start, to the second pixel */
} place;

static inline const int8_t *row_of(const sqz_window *window, const place *place, unsigned k) {
    return place->in ? place->in[k * window->row_step] + place->offset : place->from + k * window->bytes;
}

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

typedef struct sums {
    int32x4_t even, odd;
} sums;

static inline sums added(sums sum, int16x8_t products) {
    return (sums){vaddq_s32(sum.even, vmovlbq_s16(products)), vaddq_s32(sum.odd, vmovltq_s16(products))};
}

static inline int16x8_t product(const int8_t *inputs, int16x8_t weights) {
    return vmulq_s16(vldrbq_s16(inputs), weights);
}

static inline int32x4_t scaled(int32x4_t sum, const int8_t *record, unsigned first, int usual) {
    const int32x4_t high = vqrdmulhq_s32(sum, vldrwq_s32((const int32_t *)(const void *)(record + MULTIPLIERS) + first));
    const int32x4_t shift = vldrbq_s32(record + SHIFTS + first);
    return vrshlq_s32(usual ? high : vaddq_s32(high, vshrq_n_s32(high, 31)), shift);
}

static inline void put(const sqz_requant *to, const int8_t *record, sums sum, int8_t *out) {
    const int usual = to->zero_point == -128; /* what is negative is clamped, however halves are rounded */
    int16x8_t q = vqmovnbq_s32(vdupq_n_s16(0), scaled(sum.even, record, 0, usual));
    q = vqaddq_n_s16(vqmovntq_s32(q, scaled(sum.odd, record, 4, usual)), to->zero_point);
    q = vminq_s16(vmaxq_s16(q, vdupq_n_s16(to->lowest)), vdupq_n_s16(to->highest));
    vstrbq_s16(out, q);
}

/* Eight channels from c on of one or two pixels; width is kernel_w. */
static inline void pixels(const sqz_window *window, const place *place, const int8_t *record, unsigned c, int both,
                          unsigned width, int8_t *first, int8_t *second) {
    const sqz_conv *conv = window->conv;
    const unsigned channels = conv->in_channels;
    const int32_t *bias = (const int32_t *)(const void *)record;
    const int8_t *weights = record + WEIGHTS;
    sums sum = {vldrwq_s32(bias), vldrwq_s32(bias + 4)}, other = sum;
    for (unsigned k = 0; k < window->rows; ++k) {
        const int8_t *at = row_of(window, place, k) + c, *next = at + place->step;
        unsigned left = width;
        for (; left >= 2; left -= 2, weights += 2 * GROUP, at += 2 * channels, next += 2 * channels) {
            const int16x8_t w = vldrbq_s16(weights), v = vldrbq_s16(weights + GROUP);
            sum = added(sum, vaddq_s16(product(at, w), product(at + channels, v)));
            if (both) {
                other = added(other, vaddq_s16(product(next, w), product(next + channels, v)));
            }
        }
        if (left) {
            const int16x8_t w = vldrbq_s16(weights);
            weights += GROUP;
            sum = added(sum, product(at, w));
            if (both) {
                other = added(other, product(next, w));
            }
        }
    }
    put(&conv->requant, record, sum, first);
    if (both) {
        put(&conv->requant, record, other, second);
    }
}

#else

static int32_t sum_of(const sqz_window *window, const place *place, const int8_t *weights, unsigned width, int offset) {
    int32_t sum = 0;
    for (unsigned k = 0; k < window->rows; ++k) {
        const int8_t *at = row_of(window, place, k) + offset;
        for (unsigned i = width; i; --i, weights += GROUP, at += window->conv->in_channels) {
            sum += *at * *weights;
        }
    }
    return sum;
}

static void pixels(const sqz_window *window, const place *place, const int8_t *record, unsigned c, int both,
                   unsigned width, int8_t *first, int8_t *second) {
    const sqz_requant *to = &window->conv->requant;
    for (unsigned i = 0; i < GROUP; ++i) {
        const unsigned at = i / 2 + i % 2 * 4; /* in the tables */
        const int32_t bias = (int32_t)sqz_load4(record + 4 * at);
        const int32_t multiplier = (int32_t)sqz_load4(record + MULTIPLIERS + 4 * at);
        for (int pixel = 0; pixel <= both; ++pixel) {
            const int offset = (int)(c + i) + (pixel ? place->step : 0);
            const int32_t sum = bias + sum_of(window, place, record + WEIGHTS + i, width, offset);
            const int32_t q = sqz_multiply(sum, multiplier, record[SHIFTS + at]) + to->zero_point;
            *(pixel ? second + i : first + i) = sqz_clamp(q, to->lowest, to->highest);
        }
    }
}

#endif

static inline void channels_of(const sqz_window *window, const place *place, int both, unsigned width, int8_t *out) {
    const sqz_conv *conv = window->conv;
    const unsigned channels = conv->out_channels;
    const size_t record_bytes = WEIGHTS + GROUP * (size_t)conv->kernel_h * conv->kernel_w;
    const int8_t *record = conv->weights;
    for (unsigned c = 0; c < channels; c += GROUP, record += record_bytes) {
        const unsigned from = c + GROUP <= channels ? c : channels - GROUP;
        pixels(window, place, record, from, both, width, out + from, out + conv->out_stride + from);
    }
}

/* Three columns are usual: the compiler unrolls them. */
static void all_channels(const sqz_window *window, const place *place, int both, int8_t *out) {
    if (window->conv->kernel_w != 3) {
        channels_of(window, place, both, window->conv->kernel_w, out);
    } else if (both) {
        channels_of(window, place, 1, 3, out);
    } else {
        channels_of(window, place, 0, 3, out);
    }
}

void sqz_depthwise_row_mve(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    int8_t *out = rows->out;
    sqz_window window;
    sqz_window_begin(&window, conv, rows);
    for (unsigned x = 0; x < conv->out_width;) {
        const int start = sqz_window_start(&window, x);
        place place = {rows->in, NULL, start, window.step};
        if (x + 1 < conv->out_width && sqz_window_inside(&window, start, start + window.step)) {
            all_channels(&window, &place, 1, out);
            x += 2;
            out += 2 * (size_t)conv->out_stride;
            continue;
        }
        if (!sqz_window_inside(&window, start, start)) {
            place.in = NULL;
            place.from = rows->scratch;
            sqz_window_copy(&window, x, 0, window.rows, rows->scratch);
        }
        all_channels(&window, &place, 0, out);
        ++x;
        out += conv->out_stride;
    }
}
