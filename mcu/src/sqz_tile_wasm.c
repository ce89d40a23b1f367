#include "sqz_tile_wasm.h"

#define EIGHT 8u

/* So many inputs, widened. */
static void widen(int16_t *to, const int8_t *from, unsigned count) {
#if defined(SQZ_WASM_SIMD)
    for (; count >= 2 * EIGHT; count -= 2 * EIGHT, from += 2 * EIGHT, to += 2 * EIGHT) {
        wasm_v128_store(to, wasm_i16x8_load8x8(from));
        wasm_v128_store(to + EIGHT, wasm_i16x8_load8x8(from + EIGHT));
    }
    for (; count >= EIGHT; count -= EIGHT, from += EIGHT, to += EIGHT) {
        wasm_v128_store(to, wasm_i16x8_load8x8(from));
    }
#endif
    for (; count; --count) {
        *to++ = *from++;
    }
}

static void fill(int16_t *to, int16_t value, unsigned count) {
    for (; count; --count) {
        *to++ = value;
    }
}

/* Of a row, or of none if it is null, the columns that output pixels see. */
static void widen_row(const sqz_conv *conv, const int8_t *row, unsigned columns, int16_t *to) {
    const unsigned channels = conv->in_channels, before = conv->pad_left < columns ? conv->pad_left : columns;
    const unsigned most = columns - before, inside = row ? (conv->in_width < most ? conv->in_width : most) : 0;
    fill(to, conv->input_zero_point, before * channels);
    widen(to + before * channels, row, inside * channels);
    fill(to + (before + inside) * channels, conv->input_zero_point, (most - inside) * channels + 1);
}

void sqz_wasm_begin(sqz_wasm_tile *tile, const sqz_conv *conv, const sqz_rows *rows) {
    const unsigned channels = conv->in_channels, kernel_w = conv->kernel_w, dilated = conv->dilation_w > 1;
    const unsigned columns = (conv->out_width - 1u) * conv->stride_w + (kernel_w - 1u) * conv->dilation_w + 1;
    const unsigned across = dilated ? kernel_w : 1; /* runs of a kernel row */
    tile->conv = conv;
    tile->count = conv->kernel_h * across;
    tile->pairs = ((dilated ? 1 : kernel_w) * channels + 1) / 2;
    tile->step = conv->stride_w * channels;
    tile->record_bytes = SQZ_WASM_HEAD + tile->count * tile->pairs * SQZ_WASM_PAIR;
    tile->runs = rows->scratch;
    int16_t *to = (int16_t *)(void *)((int8_t *)rows->scratch + tile->count * SQZ_POINTER_BYTES);
    for (unsigned ky = 0; ky < conv->kernel_h; ++ky, to += (columns * channels + 4) / 4 * 4) {
        widen_row(conv, rows->in[ky * conv->dilation_h], columns, to);
        for (unsigned i = 0; i < across; ++i) {
            tile->runs[ky * across + i] = to + i * conv->dilation_w * channels;
        }
    }
    tile->all = (int8_t *)to;
}

#if defined(SQZ_WASM_SIMD)

/* A pair of inputs a round: written out further, compilers load all words before they use one, and engines with 16
 * registers spill them. */
SQZ_INLINE void add_run(const int16_t *from, size_t step, const int8_t *w, unsigned pairs, const unsigned width,
                        sqz_wasm_sums sum) {
    const int16_t *x[SQZ_WASM_PIXELS];
    SQZ_UNROLL for (unsigned i = 0; i < width; ++i) {
        x[i] = from + i * step;
    }
    for (; pairs; --pairs, w += SQZ_WASM_PAIR) {
        const v128_t low = wasm_i16x8_load8x8(w), high = wasm_i16x8_load8x8(w + EIGHT);
        SQZ_UNROLL for (unsigned i = 0; i < width; ++i) {
            const v128_t pair = wasm_v128_load32_splat(x[i]);
            sum[i][0] = wasm_i32x4_add(sum[i][0], wasm_i32x4_dot_i16x8(pair, low));
            sum[i][1] = wasm_i32x4_add(sum[i][1], wasm_i32x4_dot_i16x8(pair, high));
            x[i] += 2;
        }
    }
}

/* Eight channels of so many pixels, from input `at` of their runs on. */
SQZ_INLINE void pixels(const sqz_wasm_tile *tile, const int8_t *weights, const sqz_wasm_scale *scale, size_t at,
                       const unsigned width, int8_t *out, size_t stride) {
    sqz_wasm_sums sum;
    const int16_t *const *run = tile->runs;
    sqz_wasm_start(sum, width, scale);
    for (unsigned left = tile->count; left; --left, ++run, weights += (size_t)tile->pairs * SQZ_WASM_PAIR) {
        add_run(*run + at, tile->step, weights, tile->pairs, width, sum);
    }
    sqz_wasm_put(sum, width, scale, out, stride);
}

#define PIXELS(name, width)                                                                                              \
    static SQZ_NOINLINE void name(const sqz_wasm_tile *tile, const int8_t *weights, const sqz_wasm_scale *scale,         \
                                  size_t at, int8_t *out, size_t stride) {                                               \
        pixels(tile, weights, scale, at, width, out, stride);                                                            \
    }
PIXELS(one, 1)
PIXELS(two, 2)
PIXELS(three, 3)
PIXELS(four, 4)

void sqz_wasm_channels(const sqz_wasm_tile *tile, const int8_t *record, int8_t *out, size_t stride) {
    const int8_t *weights = record + SQZ_WASM_HEAD;
    unsigned left = tile->conv->out_width;
    size_t at = 0;
    sqz_wasm_scale scale;
    sqz_wasm_limits(&scale, &tile->conv->requant);
    sqz_wasm_head(&scale, record);
    for (; left >= 4; left -= 4, at += 4 * (size_t)tile->step, out += 4 * stride) {
        four(tile, weights, &scale, at, out, stride);
    }
    if (left) {
        (left == 1 ? one : left == 2 ? two : three)(tile, weights, &scale, at, out, stride);
    }
}

#else

/* Adds an input of two pixels for four of eight channels. */
static inline void add_input(int32_t first, int32_t second, const int8_t *weights, int32_t *sum) {
    sum[0] += first * weights[0];
    sum[1] += second * weights[0];
    sum[2] += first * weights[2];
    sum[3] += second * weights[2];
    sum[4] += first * weights[4];
    sum[5] += second * weights[4];
    sum[6] += first * weights[6];
    sum[7] += second * weights[6];
}

/* The sums of two pixels and four channels, [4, 2], from input `at` and `next` of their runs on. */
static void two_sums(const sqz_wasm_tile *tile, const int8_t *weights, size_t at, size_t next, int32_t *sums) {
    int32_t sum[8] = {0};
    for (unsigned run = 0; run < tile->count; ++run) {
        const int16_t *first = tile->runs[run] + at, *second = tile->runs[run] + next;
        for (unsigned left = tile->pairs; left; --left, first += 2, second += 2, weights += SQZ_WASM_PAIR) {
            add_input(first[0], second[0], weights, sum);
            add_input(first[1], second[1], weights + 1, sum);
        }
    }
    for (unsigned i = 0; i < 8; ++i) {
        sums[i] = sum[i];
    }
}

void sqz_wasm_channels(const sqz_wasm_tile *tile, const int8_t *record, int8_t *out, size_t stride) {
    const sqz_requant *to = &tile->conv->requant;
    const unsigned width = tile->conv->out_width;
    size_t at = 0;
    for (unsigned x = 0; x < width; x += 2, at += 2 * (size_t)tile->step, out += 2 * stride) {
        const unsigned both = x + 1 < width;
        for (unsigned c = 0; c < SQZ_WASM_CHANNELS; c += 4) {
            int32_t sums[8];
            two_sums(tile, record + SQZ_WASM_HEAD + 2 * c, at, both ? at + tile->step : at, sums);
            for (unsigned i = 0; i < 4; ++i) {
                const int32_t bias = sqz_wasm_bias(record, c + i);
                out[c + i] = sqz_wasm_requantize(to, record, c + i, bias + sums[2 * i]);
                if (both) {
                    out[stride + c + i] = sqz_wasm_requantize(to, record, c + i, bias + sums[2 * i + 1]);
                }
            }
        }
    }
}

#endif
