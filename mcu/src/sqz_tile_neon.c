#include "sqz_tile_neon.h"
#include "sqz_bytes.h"
#include "sqz_neon.h"

#define EIGHT 8u
#define RECORD_BLOCK 64u /* bytes of weights for eight inputs */

static unsigned rounded_up(unsigned count) {
    return (count + EIGHT - 1) / EIGHT * EIGHT;
}

void sqz_neon_begin(sqz_neon_tile *tile, const sqz_conv *conv, const sqz_rows *rows) {
    sqz_window *window = &tile->window;
    sqz_window_begin(window, conv, rows);
    const unsigned inputs = rounded_up(window->rows * window->bytes);
    tile->blocks = inputs / EIGHT;
    tile->channels = rounded_up(conv->out_channels);
    tile->patch = rows->scratch;
    tile->lines[0] = tile->patch + (size_t)inputs * SQZ_NEON_PIXELS;
    tile->lines[1] = tile->lines[0] + inputs + EIGHT;
    tile->outside = tile->lines[1] + inputs + EIGHT;
    tile->outs = tile->outside + window->bytes + EIGHT;
    if (window->end < 0 && conv->dilation_w == 1) { /* rows are missing: their inputs lie in `outside` */
        window->end = (int)(conv->in_width * conv->in_channels);
        sqz_set(tile->outside, conv->input_zero_point, window->bytes + EIGHT);
    }
}

/* Where what output pixels see of a row lies, from `start` on in it. */
static const int8_t *inputs_of(const sqz_neon_tile *tile, const int8_t *row, int start) {
    return row ? row + start : tile->outside;
}

/* A run of at least one byte, and up to seven more. */
static inline void copy_eights(int8_t *to, const int8_t *from, unsigned bytes) {
    const int8_t *const end = from + bytes;
    do {
        memcpy(to, from, EIGHT);
        to += EIGHT;
        from += EIGHT;
    } while (from < end);
}

/* What output pixel x sees, in one run. Whole eights are copied, if they lie in the row. */
static void fill_line(const sqz_neon_tile *tile, unsigned x, int8_t *to) {
    const sqz_window *window = &tile->window;
    const int start = sqz_window_start(window, x), bytes = (int)window->bytes;
    if (start < 0 || start + bytes > window->end) {
        sqz_window_copy(window, x, 0, window->rows, to);
        return;
    }
    const int whole = start + (int)rounded_up(window->bytes) <= window->end;
    const int8_t *const *row = window->in;
    for (unsigned left = window->rows; left; --left, row += window->row_step, to += bytes) {
        const int8_t *from = inputs_of(tile, *row, start);
        if (whole) {
            copy_eights(to, from, window->bytes);
        } else {
            sqz_copy(to, from, window->bytes);
        }
    }
}

/* A run of two pixels, a multiple of eight bytes; returns where the next goes. */
static int8_t *fill_two(const int8_t *first, const int8_t *second, unsigned bytes, size_t step, int8_t *to) {
#if defined(SQZ_NEON)
    for (; bytes >= 2 * EIGHT; bytes -= 2 * EIGHT, first += 2 * EIGHT, second += 2 * EIGHT, to += 2 * step) {
        const int64x2_t a = vreinterpretq_s64_s8(vld1q_s8(first)), b = vreinterpretq_s64_s8(vld1q_s8(second));
        vst1q_s8(to, vreinterpretq_s8_s64(vzip1q_s64(a, b)));
        vst1q_s8(to + step, vreinterpretq_s8_s64(vzip2q_s64(a, b)));
    }
#endif
    for (; bytes; bytes -= EIGHT, first += EIGHT, second += EIGHT, to += step) {
        memcpy(to, first, EIGHT);
        memcpy(to + EIGHT, second, EIGHT);
    }
    return to;
}

/* Two pixels whose windows lie in place, in runs of `bytes`, a multiple of eight, the second's `next` bytes on. */
static void fill_in_place(const sqz_neon_tile *tile, int start, int next, unsigned bytes, int8_t *to) {
    const sqz_window *window = &tile->window;
    const int8_t *const *row = window->in;
    for (unsigned left = window->rows; left; --left, row += window->row_step) {
        const int8_t *first = inputs_of(tile, *row, start);
        to = fill_two(first, *row ? first + next : first, bytes, tile->width * EIGHT, to);
    }
}

void sqz_neon_turn(sqz_neon_tile *tile, unsigned x) {
    const sqz_window *window = &tile->window;
    const unsigned left = window->out_width - x;
    /* What lies behind the only run is multiplied by 0. */
    const unsigned bytes = window->rows == 1 ? rounded_up(window->bytes) : window->bytes;
    int8_t *to = tile->patch;
    tile->pixels = left < SQZ_NEON_PIXELS ? left : SQZ_NEON_PIXELS;
    tile->width = (tile->pixels + 1) / 2 * 2;
    for (unsigned pixel = 0; pixel < tile->pixels; pixel += 2, x += 2, to += 2 * EIGHT) {
        const int alone = pixel + 1 == tile->pixels, next = alone ? 0 : window->step;
        const int start = sqz_window_start(window, x);
        if (bytes % EIGHT == 0 && start >= 0 && start + next + (int)bytes <= window->end) {
            fill_in_place(tile, start, next, bytes, to);
            continue;
        }
        fill_line(tile, x, tile->lines[0]);
        if (!alone) {
            fill_line(tile, x + 1, tile->lines[1]);
        }
        (void)fill_two(tile->lines[0], tile->lines[!alone], tile->blocks * EIGHT, tile->width * EIGHT, to);
    }
}

#if defined(SQZ_NEON)

/* Sums of each pixel: channels 0 to 3, 4 to 7. */
typedef int32x4_t sums[SQZ_NEON_PIXELS][2];
typedef int32x4_t square[4][4]; /* by channel and pixel, or by pairs of pixels and of channels */

SQZ_INLINE void dot_sums(const int8_t *x, const int8_t *w, unsigned blocks, const unsigned width, sums sum) {
    for (; blocks; --blocks, w += RECORD_BLOCK, x += width * EIGHT) {
        const int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16), w2 = vld1q_s8(w + 32), w3 = vld1q_s8(w + 48);
        int8x16_t two[SQZ_NEON_PIXELS / 2];
        SQZ_UNROLL for (unsigned i = 0; i < width / 2; ++i) {
            two[i] = vld1q_s8(x + 16 * i);
        }
        SQZ_UNROLL for (unsigned i = 0; i < width / 2; ++i) {
            SQZ_NEON_DOT_LANE(sum[2 * i][0], w0, two[i], 0);
            SQZ_NEON_DOT_LANE(sum[2 * i][1], w1, two[i], 0);
            SQZ_NEON_DOT_LANE(sum[2 * i + 1][0], w0, two[i], 2);
            SQZ_NEON_DOT_LANE(sum[2 * i + 1][1], w1, two[i], 2);
        }
        SQZ_UNROLL for (unsigned i = 0; i < width / 2; ++i) {
            SQZ_NEON_DOT_LANE(sum[2 * i][0], w2, two[i], 1);
            SQZ_NEON_DOT_LANE(sum[2 * i][1], w3, two[i], 1);
            SQZ_NEON_DOT_LANE(sum[2 * i + 1][0], w2, two[i], 3);
            SQZ_NEON_DOT_LANE(sum[2 * i + 1][1], w3, two[i], 3);
        }
    }
}

/* Eight weights each of two of the four channels from `w` on: 0 and 1, or 2 and 3. */
SQZ_INLINE int8x16_t two_channels(const int8_t *w, unsigned second) {
    const int32x4_t a = sqz_neon_words(w), b = sqz_neon_words(w + RECORD_BLOCK / 2);
    int32x4_t zipped = second ? vzip2q_s32(a, b) : vzip1q_s32(a, b);
    __asm__("" : "+w"(zipped)); /* Clang would take its halves from a and b, one by one */
    return vreinterpretq_s8_s32(zipped);
}

SQZ_INLINE int32x4_t joined(int32x4_t a, int32x4_t b, int second) {
    const int64x2_t x = vreinterpretq_s64_s32(a), y = vreinterpretq_s64_s32(b);
    return vreinterpretq_s32_s64(second ? vzip2q_s64(x, y) : vzip1q_s64(x, y));
}

SQZ_INLINE void matrix_sums(const int8_t *x, const int8_t *w, unsigned blocks, const unsigned width, sums sum) {
    square by_twos;
    SQZ_UNROLL for (unsigned i = 0; i < width / 2; ++i) {
        SQZ_UNROLL for (unsigned j = 0; j < 4; ++j) {
            by_twos[i][j] = joined(sum[0][j / 2], sum[0][j / 2], j % 2); /* the biases of two channels, for two pixels */
        }
    }
    for (; blocks; --blocks, w += RECORD_BLOCK, x += width * EIGHT) {
        const int8x16_t channels[4] = {two_channels(w, 0), two_channels(w, 1), two_channels(w + 16, 0),
                                       two_channels(w + 16, 1)};
        SQZ_UNROLL for (unsigned i = 0; i < width / 2; ++i) {
            const int8x16_t two = vld1q_s8(x + 16 * i);
            SQZ_UNROLL for (unsigned j = 0; j < 4; ++j) {
                by_twos[i][j] = sqz_neon_matrix(by_twos[i][j], two, channels[j]);
            }
        }
    }
    SQZ_UNROLL for (unsigned i = 0; i < width; ++i) {
        SQZ_UNROLL for (unsigned half = 0; half < 2; ++half) {
            sum[i][half] = joined(by_twos[i / 2][2 * half], by_twos[i / 2][2 * half + 1], i % 2);
        }
    }
}

/* Adds the products of four channels and of two pixels, from `pixel` on, over a block or two. */
SQZ_INLINE void base_products(const int8_t *x, size_t x_step, const int8_t *w, const int two_blocks, unsigned pixel,
                              square sum) {
    const int8x16_t in = vld1q_s8(x), turned = vextq_s8(in, in, 8);
    const int8x16_t in_next = two_blocks ? vld1q_s8(x + x_step) : in, turned_next = vextq_s8(in_next, in_next, 8);
    SQZ_UNROLL for (unsigned c = 0; c < 4; c += 2) {
        const int8x16_t weights = two_channels(w, c / 2);
        int16x8_t a = vmull_s8(vget_low_s8(weights), vget_low_s8(in)), b = vmull_high_s8(weights, in);
        int16x8_t e = vmull_s8(vget_low_s8(weights), vget_low_s8(turned)), f = vmull_high_s8(weights, turned);
        if (two_blocks) {
            const int8x16_t next = two_channels(w + RECORD_BLOCK, c / 2);
            a = vmlal_s8(a, vget_low_s8(next), vget_low_s8(in_next));
            b = vmlal_high_s8(b, next, in_next);
            e = vmlal_s8(e, vget_low_s8(next), vget_low_s8(turned_next));
            f = vmlal_high_s8(f, next, turned_next);
        }
        sum[c][pixel] = vpadalq_s16(sum[c][pixel], a);
        sum[c + 1][pixel + 1] = vpadalq_s16(sum[c + 1][pixel + 1], b);
        sum[c][pixel + 1] = vpadalq_s16(sum[c][pixel + 1], e);
        sum[c + 1][pixel] = vpadalq_s16(sum[c + 1][pixel], f);
    }
}

/* Of four channels, `half` of a record's, and of two or four pixels from `first` on. */
SQZ_INLINE void base_square(const int8_t *x, size_t step, const int8_t *w, unsigned blocks, const unsigned first,
                            const unsigned pixels, const unsigned half, sums sum) {
    square of;
    x += EIGHT * first;
    w += 16 * half;
    SQZ_UNROLL for (unsigned i = 0; i < 4; ++i) {
        SQZ_UNROLL for (unsigned j = 0; j < pixels; ++j) {
            of[i][j] = vdupq_n_s32(0);
        }
    }
    for (; blocks >= 2; blocks -= 2, w += 2 * RECORD_BLOCK, x += 2 * step) {
        SQZ_UNROLL for (unsigned j = 0; j < pixels; j += 2) {
            base_products(x + EIGHT * j, step, w, 1, j, of);
        }
    }
    if (blocks) {
        SQZ_UNROLL for (unsigned j = 0; j < pixels; j += 2) {
            base_products(x + EIGHT * j, step, w, 0, j, of);
        }
    }
    SQZ_UNROLL for (unsigned j = 0; j < pixels; ++j) {
        const int32x4_t four = vpaddq_s32(vpaddq_s32(of[0][j], of[1][j]), vpaddq_s32(of[2][j], of[3][j]));
        sum[first + j][half] = vaddq_s32(sum[first + j][half], four);
    }
}

SQZ_INLINE void base_sums(const int8_t *x, const int8_t *w, unsigned blocks, const unsigned width, sums sum) {
    const size_t step = width * EIGHT;
    SQZ_UNROLL for (unsigned half = 0; half < 2; ++half) {
        base_square(x, step, w, blocks, 0, width < 4 ? width : 4, half, sum);
        if (width > 4) {
            base_square(x, step, w, blocks, 4, width - 4, half, sum);
        }
    }
}

/* Where the weights of the next eight channels lie, and what makes int8 of their sums. */
typedef struct cursor {
    const int8_t *weights, *shifts;
    size_t weight_bytes, rest_bytes; /* of a record: its weights, and from its shifts to the next record's weights */
    unsigned multipliers;
    sqz_neon_scale scale;
} cursor;

SQZ_INLINE cursor first_of(const sqz_neon_tile *tile) {
    const sqz_conv *conv = tile->window.conv;
    const unsigned multipliers = conv->requant.step;
    cursor at = {.weights = conv->weights + 4 * EIGHT, .multipliers = multipliers};
    at.weight_bytes = (size_t)tile->blocks * RECORD_BLOCK;
    at.rest_bytes = EIGHT + (multipliers ? 4 * EIGHT : 0) + 4 * EIGHT;
    at.shifts = at.weights + at.weight_bytes;
    sqz_neon_limits(&at.scale, &conv->requant);
    return at;
}

SQZ_INLINE void begin(const cursor *at, const unsigned width, sums sum) {
    const int32x4_t low = sqz_neon_words(at->weights - 32), high = sqz_neon_words(at->weights - 16);
    SQZ_UNROLL for (unsigned i = 0; i < width; ++i) {
        sum[i][0] = low;
        sum[i][1] = high;
    }
}

SQZ_INLINE void finish(cursor *at, const unsigned width, sums sum, int8_t *out, size_t stride) {
    sqz_neon_factors(&at->scale, at->shifts, at->multipliers ? at->shifts + EIGHT : NULL);
    SQZ_UNROLL for (unsigned i = 0; i < width; i += 2) {
        const int8x16_t two = sqz_neon_two(sum[i], sum[i + 1], &at->scale);
        vst1_s8(out + i * stride, vget_low_s8(two));
        vst1_s8(out + (i + 1) * stride, vget_high_s8(two));
    }
    at->weights = at->shifts + at->rest_bytes;
    at->shifts = at->weights + at->weight_bytes;
}

/* All channels of so many pixels. */
#define KERNEL(name, with, sums_of, width)                                                          \
    static SQZ_NOINLINE with void name(const sqz_neon_tile *tile, int8_t *out, size_t stride) {     \
        cursor at = first_of(tile);                                                                 \
        for (unsigned left = tile->channels; left; left -= EIGHT, out += EIGHT) {                   \
            sums sum;                                                                               \
            begin(&at, width, sum);                                                                 \
            sums_of(tile->patch, at.weights, tile->blocks, width, sum);                             \
            finish(&at, width, sum, out, stride);                                                   \
        }                                                                                           \
    }
KERNEL(base_two, , base_sums, 2)
KERNEL(base_four, , base_sums, 4)
KERNEL(base_six, , base_sums, 6)
KERNEL(base_eight, , base_sums, 8)
KERNEL(dot_two, SQZ_WITH_DOT, dot_sums, 2)
KERNEL(dot_four, SQZ_WITH_DOT, dot_sums, 4)
KERNEL(dot_six, SQZ_WITH_DOT, dot_sums, 6)
KERNEL(dot_eight, SQZ_WITH_DOT, dot_sums, 8)
KERNEL(matrix_two, SQZ_WITH_MATRIX, matrix_sums, 2)
KERNEL(matrix_four, SQZ_WITH_MATRIX, matrix_sums, 4)
KERNEL(matrix_six, SQZ_WITH_MATRIX, matrix_sums, 6)
KERNEL(matrix_eight, SQZ_WITH_MATRIX, matrix_sums, 8)

void sqz_neon_channels(const sqz_neon_tile *tile, int8_t *out, unsigned stride) {
    static void (*const kernels[3][4])(const sqz_neon_tile *, int8_t *, size_t) = {
        {base_two, base_four, base_six, base_eight},
        {dot_two, dot_four, dot_six, dot_eight},
        {matrix_two, matrix_four, matrix_six, matrix_eight}};
    kernels[sqz_neon_level()][tile->width / 2 - 1](tile, out, stride);
}

#else

/* Σ of one pixel and channel, of a record's eight. */
static int32_t sum_of(const sqz_neon_tile *tile, const int8_t *weights, unsigned pixel, unsigned channel) {
    const int8_t *inputs = tile->patch + (size_t)pixel * EIGHT;
    int32_t sum = 0;
    for (unsigned k = 0; k < tile->window.rows * tile->window.bytes; ++k) {
        const unsigned block = k / EIGHT, i = k % EIGHT;
        const unsigned at = block * RECORD_BLOCK + i / 4 * (RECORD_BLOCK / 2) + channel * 4 + i % 4;
        sum += weights[at] * inputs[(size_t)block * tile->width * EIGHT + i];
    }
    return sum;
}

void sqz_neon_channels(const sqz_neon_tile *tile, int8_t *out, unsigned stride) {
    const sqz_requant *to = &tile->window.conv->requant;
    const int8_t *record = tile->window.conv->weights;
    const size_t bytes = (size_t)tile->blocks * RECORD_BLOCK;
    for (unsigned o = 0; o < tile->channels; o += EIGHT, record += sqz_record_bytes(to, EIGHT, bytes)) {
        for (unsigned i = 0; i < tile->pixels * EIGHT; ++i) {
            const unsigned c = i % EIGHT, pixel = i / EIGHT;
            const int32_t sum = sum_of(tile, sqz_record_weights(record, EIGHT), pixel, c) + sqz_record_bias(record, c);
            out[(size_t)pixel * stride + o + c] = sqz_record_requantize(to, record, EIGHT, bytes, c, sum);
        }
    }
}

#endif
