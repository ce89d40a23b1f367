/* DEPTHWISE_CONV_2D of one input channel an output channel, for WebAssembly: eight channels of up to four pixels at a time.
 *
 * Two taps are a pair of inputs; of an odd number the last is a pair with itself, its second weight 0. Weights: the records of
 * sqz_wasm.h, [pairs, 8 channels, 2]; the last begins so early that it ends with the last channel.
 *
 * Needs eight channels or more.
 * Scratch: SQZ_POINTER_BYTES a tap, of an even number; a pixel. */
#include "sqz_taps.h"
#include "sqz_wasm.h"

typedef struct layer {
    sqz_taps of;
    unsigned pairs, record_bytes;
} layer;

#if defined(SQZ_WASM_SIMD)

/* Eight channels, from `at` on, of so many pixels whose inputs are `step` bytes apart. */
SQZ_INLINE void channels(const layer *like, const sqz_wasm_scale *scale, const int8_t *weights, size_t at, size_t step,
                         const unsigned width, int8_t *out) {
    const size_t stride = like->of.conv->out_stride;
    const int8_t *const *tap = like->of.taps;
    sqz_wasm_sums sum;
    sqz_wasm_start(sum, width, scale);
    for (unsigned left = like->pairs; left; --left, tap += 2, weights += SQZ_WASM_PAIR) {
        const v128_t low = wasm_i16x8_load8x8(weights), high = wasm_i16x8_load8x8(weights + 8);
        const int8_t *first = tap[0] + at, *second = tap[1] + at;
        SQZ_UNROLL for (unsigned i = 0; i < width; ++i) {
            const v128_t a = wasm_i16x8_load8x8(first), b = wasm_i16x8_load8x8(second);
            const v128_t lows = wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
            const v128_t highs = wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
            sum[i][0] = wasm_i32x4_add(sum[i][0], wasm_i32x4_dot_i16x8(lows, low));
            sum[i][1] = wasm_i32x4_add(sum[i][1], wasm_i32x4_dot_i16x8(highs, high));
            first += step;
            second += step;
        }
    }
    sqz_wasm_put(sum, width, scale, out + at, stride);
}

SQZ_INLINE void pixels(const layer *like, const unsigned width, int8_t *out) {
    const sqz_conv *conv = like->of.conv;
    const size_t last = conv->out_channels - SQZ_WASM_CHANNELS, step = (size_t)conv->stride_w * conv->in_channels;
    const int8_t *record = conv->weights;
    sqz_wasm_scale scale;
    sqz_wasm_limits(&scale, &conv->requant);
    for (size_t at = 0;; at += SQZ_WASM_CHANNELS, record += like->record_bytes) {
        at = at < last ? at : last;
        sqz_wasm_head(&scale, record);
        channels(like, &scale, record + SQZ_WASM_HEAD, at, step, width, out);
        if (at == last) {
            return;
        }
    }
}

static SQZ_NOINLINE void one_pixel(const layer *like, int8_t *out) {
    pixels(like, 1, out);
}

static SQZ_NOINLINE void four_pixels(const layer *like, int8_t *out) {
    pixels(like, SQZ_WASM_PIXELS, out);
}

/* Pixels from x on, as many as lie alike; returns how many. */
static unsigned some(const layer *like, unsigned x, int8_t *out) {
    const sqz_conv *conv = like->of.conv;
    const unsigned last = x + SQZ_WASM_PIXELS - 1;
    if (last < conv->out_width && like->of.whole && sqz_taps_inside(conv, x) && sqz_taps_inside(conv, last)) {
        four_pixels(like, out);
        return SQZ_WASM_PIXELS;
    }
    one_pixel(like, out);
    return 1;
}

#else

static unsigned some(const layer *like, unsigned x, int8_t *out) {
    const sqz_conv *conv = like->of.conv;
    const int8_t *record = conv->weights, *const *taps = like->of.taps;
    (void)x;
    for (unsigned first = 0; first < conv->out_channels; first += SQZ_WASM_CHANNELS, record += like->record_bytes) {
        const unsigned last = conv->out_channels - SQZ_WASM_CHANNELS, at = first < last ? first : last;
        for (unsigned c = 0; c < SQZ_WASM_CHANNELS; ++c) {
            const int8_t *weights = record + SQZ_WASM_HEAD + 2 * c;
            int32_t sum = sqz_wasm_bias(record, c);
            for (unsigned i = 0; i < 2 * like->pairs; i += 2, weights += SQZ_WASM_PAIR) {
                sum += taps[i][at + c] * weights[0] + taps[i + 1][at + c] * weights[1];
            }
            out[at + c] = sqz_wasm_requantize(&conv->requant, record, c, sum);
        }
    }
    return 1;
}

#endif

void sqz_depthwise_row_wasm(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    const unsigned count = (unsigned)conv->kernel_h * conv->kernel_w;
    layer like = {.pairs = (count + 1) / 2};
    like.record_bytes = SQZ_WASM_HEAD + like.pairs * SQZ_WASM_PAIR;
    sqz_taps_begin(&like.of, conv, rows, 2 * like.pairs);
    int8_t *out = rows->out;
    unsigned before = 0, made;
    for (unsigned x = 0; x < conv->out_width; x += made, out += (size_t)made * conv->out_stride) {
        sqz_taps_turn(&like.of, before, x);
        like.of.taps[2 * like.pairs - 1] = like.of.taps[count - 1];
        before = x;
        made = some(&like, x, out);
    }
}
