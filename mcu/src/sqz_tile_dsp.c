#include "sqz_tile_dsp.h"
#include "sqz_dsp.h"

/* What makes the patch. */

void sqz_dsp_begin(sqz_dsp_tile *tile, const sqz_conv *conv, const sqz_rows *rows) {
    const sqz_window window = sqz_window_begin(conv, rows);
    tile->window = window;
    tile->pairs = window.segments * (window.bytes / 4) * 2 + (window.segments * (window.bytes % 4) + 1) / 2;
    tile->patch = rows->scratch;
    tile->edge = (int8_t *)(tile->patch + tile->pairs * SQZ_DSP_PIXELS);
    sqz_tables_begin(&tile->tables, &conv->requant);
}

/* Groups of four inputs of two pixels. */
static uint32_t *widen(uint32_t *to, const int8_t *first, const int8_t *second, unsigned groups) {
    for (const int8_t *end = first + groups * 4; first != end; first += 4, second += 4, to += 4) {
        const uint32_t a = sqz_load4(first), b = sqz_load4(second);
        to[0] = sqz_even_bytes(a);
        to[1] = sqz_even_bytes(b);
        to[2] = sqz_odd_bytes(a);
        to[3] = sqz_odd_bytes(b);
    }
    return to;
}

/* Input number i of those that make no group of four. */
static void widen_single(uint32_t *tail, unsigned i, int8_t first, int8_t second) {
    uint32_t *to = tail + i / 2 * SQZ_DSP_PIXELS;
    const unsigned half = i % 2 * 16;
    to[0] = (half ? to[0] : 0u) | (uint32_t)(uint16_t)first << half;
    to[1] = (half ? to[1] : 0u) | (uint32_t)(uint16_t)second << half;
}

void sqz_dsp_fill(const sqz_dsp_tile *tile, unsigned x) {
    const sqz_window *window = &tile->window;
    const unsigned groups = window->bytes / 4, left = window->bytes % 4, row_step = window->conv->dilation_h;
    const unsigned next = x + 1 < window->conv->out_width ? x + 1 : x;
    const int32_t offset = sqz_window_offset(window, x), next_offset = sqz_window_offset(window, next);
    uint32_t *to = tile->patch, *tail = to + window->segments * groups * 4;
    for (unsigned i = 0; i < window->segments; ++i) {
        const int8_t *first = tile->edge, *second = tile->edge + window->bytes;
        if (offset >= 0 && next_offset >= 0) {
            first = window->in[i * row_step] + offset;
            second = window->in[i * row_step] + next_offset;
        } else {
            sqz_window_copy(window, x, i, tile->edge);
            sqz_window_copy(window, next, i, tile->edge + window->bytes);
        }
        to = widen(to, first, second, groups);
        for (unsigned j = 0; j < left; ++j) {
            widen_single(tail, i * left + j, first[groups * 4 + j], second[groups * 4 + j]);
        }
    }
}

/* What sums the patch. */

/* What an output value needs to know of its layer: RELU is a mask. */
typedef struct scaling {
    int32_t odd; /* 2 * zero point + 1: shifted, it is zero point and rounding */
    int32_t relu;
    int fast;
} scaling;

static inline scaling scaling_of(const sqz_requant *to) {
    return (scaling){2 * to->zero_point + 1, to->lowest == to->zero_point ? -1 : 0, to->zero_point == -128};
}

/* A sum, doubled, to int8: SMMLAR multiplies, adds the zero point and what rounds, and the last bit is shifted out while
 * saturating. Halves are rounded away from zero, so 1 is taken from what is negative; with RELU that becomes the zero
 * point instead. Where the zero point is -128, all that is not positive saturates, and neither is needed. */
static inline int8_t scaled(int32_t twice, int32_t multiplier, int shift, scaling by) {
    const int32_t offset = by.odd * (1 << shift);
    if (by.fast) {
        return sqz_half_saturated(sqz_smmlar(twice, multiplier, offset) >> shift);
    }
    const int32_t sign = twice >> 31;
    const int32_t q = sqz_smmlar(twice & ~(sign & by.relu), multiplier, offset) + (sign & ~by.relu);
    return sqz_half_saturated(q >> shift);
}

#if defined(SQZ_DSP_ASM)
#define STEP                               \
    "ldrd %[w0], %[w1], [%[w]], #8\n\t"    \
    "ldrd %[a0], %[a1], [%[a]], #8\n\t"    \
    "smlad %[s2], %[w0], %[a0], %[s2]\n\t" \
    "smlad %[s3], %[w0], %[a1], %[s3]\n\t" \
    "smlad %[s6], %[w1], %[a0], %[s6]\n\t" \
    "smlad %[s7], %[w1], %[a1], %[s7]\n\t" \
    "sxtb16 %[w0], %[w0]\n\t"              \
    "sxtb16 %[w1], %[w1]\n\t"              \
    "smlad %[s0], %[w0], %[a0], %[s0]\n\t" \
    "smlad %[s1], %[w0], %[a1], %[s1]\n\t" \
    "smlad %[s4], %[w1], %[a0], %[s4]\n\t" \
    "smlad %[s5], %[w1], %[a1], %[s5]\n\t"
#define STEPS 8u
#define STEP_BYTES 48u

/* Adds to `sum`: channel 0 of both pixels, channels 0 and 1 together, then the same of channels 2 and 3. Returns the
 * weights that follow. Eight steps a round; the first round is entered where the rest of a division by eight begins. */
static inline const int8_t *dot(int32_t *sum, const int8_t *w, const uint32_t *a, unsigned pairs) {
    const uint32_t *const end = a + pairs * SQZ_DSP_PIXELS;
    const uint32_t skip = (0u - pairs) % STEPS * STEP_BYTES;
    uint32_t w0, w1, a0, a1;
    __asm__ volatile("ldr %[w0], %[skip]\n\tadd pc, %[w0]\n\tnop\n0:\n\t" STEP STEP STEP STEP STEP STEP STEP STEP
                     "ldr %[w0], %[end]\n\tcmp %[a], %[w0]\n\tbne.w 0b"
                     : [s0] "+r"(sum[0]), [s1] "+r"(sum[1]), [s2] "+r"(sum[2]), [s3] "+r"(sum[3]), [s4] "+r"(sum[4]),
                       [s5] "+r"(sum[5]), [s6] "+r"(sum[6]), [s7] "+r"(sum[7]), [w] "+r"(w), [a] "+r"(a),
                       [w0] "=&r"(w0), [w1] "=&r"(w1), [a0] "=&r"(a0), [a1] "=&r"(a1)
                     : [skip] "m"(skip), [end] "m"(end)
                     : "cc", "memory");
    return w;
}
#else
static inline const int8_t *dot(int32_t *sum, const int8_t *w, const uint32_t *a, unsigned pairs) {
    for (; pairs; --pairs, a += SQZ_DSP_PIXELS) {
        for (int32_t *s = sum; s != sum + 8; s += 4, w += 4) {
            const uint32_t both = sqz_load4(w), first = sqz_even_bytes(both);
            s[0] = sqz_smlad(first, a[0], s[0]);
            s[1] = sqz_smlad(first, a[1], s[1]);
            s[2] = sqz_smlad(both, a[0], s[2]);
            s[3] = sqz_smlad(both, a[1], s[3]);
        }
    }
    return w;
}
#endif

/* 256 * second + first, modulo 2^32: what the sum of a shared halfword starts from. */
static inline int32_t together(int32_t first, int32_t second) {
    return (int32_t)((uint32_t)first + ((uint32_t)second << 8));
}

/* Twice S1 from 256 * S1 + S0 and S0. */
static inline int32_t twice_second(int32_t both, int32_t first) {
    return (int32_t)((uint32_t)both - (uint32_t)first) >> 7;
}

/* One channel of both pixels. */
static inline void put(int8_t *first, int8_t *second, int32_t left, int32_t right, int32_t multiplier, int8_t shift,
                       scaling by) {
    *first = scaled(left, multiplier, -1 - shift, by);
    *second = scaled(right, multiplier, -1 - shift, by);
}

static inline void put_fours(int8_t *first, int8_t *second, const int32_t *sum, const int32_t *multiplier,
                             const int8_t *shift, scaling by) {
    put(first, second, sum[0] * 2, sum[1] * 2, multiplier[0], shift[0], by);
    put(first + 1, second + 1, twice_second(sum[2], sum[0]), twice_second(sum[3], sum[1]), multiplier[1], shift[1], by);
    put(first + 2, second + 2, sum[4] * 2, sum[5] * 2, multiplier[2], shift[2], by);
    put(first + 3, second + 3, twice_second(sum[6], sum[4]), twice_second(sum[7], sum[5]), multiplier[3], shift[3], by);
}

const int8_t *sqz_dsp_channels(const sqz_dsp_tile *tile, const int8_t *weights, unsigned channel, unsigned end,
                                int8_t *first, int8_t *second) {
    const uint32_t *patch = tile->patch;
    const sqz_tables *tables = &tile->tables;
    const unsigned pairs = tile->pairs, multiplier_step = tables->multiplier_step, shift_step = tables->shift_step;
    const int32_t *bias = tile->window.conv->bias + channel, *multiplier = tables->multiplier + channel / 4 * multiplier_step;
    const int8_t *shift = tables->shift + channel / 4 * shift_step;
    const scaling by = scaling_of(&tile->window.conv->requant);
    for (; channel + 4 <= end; channel += 4, bias += 4, multiplier += multiplier_step, shift += shift_step) {
        int32_t sum[8] = {bias[0], bias[0], 0, 0, bias[2], bias[2], 0, 0};
        sum[2] = sum[3] = together(bias[0], bias[1]);
        sum[6] = sum[7] = together(bias[2], bias[3]);
        weights = dot(sum, weights, patch, pairs);
        if (by.fast) {
            put_fours(first, second, sum, multiplier, shift, (scaling){by.odd, 0, 1});
        } else {
            put_fours(first, second, sum, multiplier, shift, (scaling){by.odd, by.relu, 0});
        }
        first += 4;
        second += 4;
    }
    return channel < end ? sqz_dsp_pairs(tile, weights, channel, end, first, second) : weights;
}

static const int8_t *sum_pairs(int32_t *sum, const int8_t *weights, const uint32_t *patch, unsigned pairs) {
    for (; pairs; --pairs, patch += SQZ_DSP_PIXELS, weights += 4) {
        const uint32_t word = sqz_load4(weights), first = sqz_even_bytes(word), second = sqz_odd_bytes(word);
        sum[0] = sqz_smlad(first, patch[0], sum[0]);
        sum[1] = sqz_smlad(first, patch[1], sum[1]);
        sum[2] = sqz_smlad(second, patch[0], sum[2]);
        sum[3] = sqz_smlad(second, patch[1], sum[3]);
    }
    return weights;
}

const int8_t *sqz_dsp_pairs(const sqz_dsp_tile *tile, const int8_t *weights, unsigned channel, unsigned end, int8_t *first,
                             int8_t *second) {
    const sqz_tables *tables = &tile->tables;
    const int32_t *bias = tile->window.conv->bias;
    const scaling by = scaling_of(&tile->window.conv->requant);
    while (channel < end) {
        const unsigned last = channel + 1 < end ? channel + 1 : channel;
        int32_t sum[4] = {bias[channel], bias[channel], bias[last], bias[last]};
        weights = sum_pairs(sum, weights, tile->patch, tile->pairs);
        for (const int32_t *s = sum; channel <= last; ++channel, s += 2) {
            const int32_t multiplier = tables->multiplier[tables->multiplier_step ? channel : 0];
            const int8_t shift = tables->shift[tables->shift_step ? channel : 0];
            put(first++, second++, s[0] * 2, s[1] * 2, multiplier, shift, by);
        }
    }
    return weights;
}
