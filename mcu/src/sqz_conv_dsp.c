/* CONV_2D for processors with SMLAD: two output pixels and four output channels at a time.
 *
 * The inputs of two pixels are widened to int16 in `scratch`, once for all channels: for each pair of inputs one word
 * of pixel 0, one word of pixel 1. The order of inputs (see `fill_patch`) is that of the packed weights.
 *
 * Weights of channels c and c + 1 share a halfword: 256 * second + first. SMLAD of the whole halfword gives
 * 256 * S1 + S0, SMLAD of its sign-extended low byte S0, so only every other weight has to be unpacked. That is exact
 * modulo 2^32 while |S1| < 2^23, which the packer proves; where it cannot, it packs for sqz_conv_row_dsp_wide.
 *
 * Needs: shifts from -22 to -1, highest 127, lowest -128 or (RELU) the zero point. Scratch: 4 bytes per padded input
 * + 2 * (bytes of a segment, rounded up to 4).
 */
#include "sqz_conv.h"
#include "sqz_dsp.h"

#define PIXELS 2u
#define GROUP 4u
#define BLOCK 32u /* channels of a mean at a time */

/* The window as contiguous runs of input bytes: one per kernel row, or per tap where the kernel is dilated. */
typedef struct segments {
    unsigned count, bytes, taps; /* taps in a segment */
} segments;

static segments segments_of(const sqz_conv *conv) {
    const unsigned dilated = conv->dilation_w > 1;
    const unsigned taps = dilated ? 1u : conv->kernel_w;
    return (segments){dilated ? (unsigned)conv->kernel_h * conv->kernel_w : conv->kernel_h, taps * conv->in_channels, taps};
}

/* A segment that is not all inside the image: what is, and the zero point around it, copied to `edge`. */
static const int8_t *copy_edge(const sqz_conv *conv, const int8_t *row, int column, const segments *s, int8_t *edge) {
    int8_t *to = edge;
    for (unsigned tap = 0; tap < s->taps; ++tap, ++column) {
        const int inside = row && column >= 0 && column < conv->in_width;
        const int8_t *from = inside ? row + (size_t)(unsigned)column * conv->in_channels : NULL;
        for (unsigned i = 0; i < conv->in_channels; ++i) {
            *to++ = from ? from[i] : conv->input_zero_point;
        }
    }
    return edge;
}

/* Segment i of output pixel x. */
static const int8_t *segment(const sqz_conv *conv, const sqz_rows *rows, unsigned x, unsigned i, const segments *s,
                             int8_t *edge) {
    const unsigned dilated = conv->dilation_w > 1;
    const unsigned ky = dilated ? i / conv->kernel_w : i, kx = dilated ? i % conv->kernel_w : 0;
    const int column = (int)(x * conv->stride_w + kx * conv->dilation_w) - conv->pad_left;
    const int8_t *row = rows->in[ky * conv->dilation_h];
    if (row && column >= 0 && column + (int)s->taps <= conv->in_width) {
        return row + (size_t)(unsigned)column * conv->in_channels;
    }
    return copy_edge(conv, row, column, s, edge);
}

/* Four inputs of two pixels: pairs (0, 2) and (1, 3). */
static uint32_t *widen4(uint32_t *to, const int8_t *first, const int8_t *second) {
    const uint32_t a = sqz_load4(first), b = sqz_load4(second);
    to[0] = sqz_even_bytes(a);
    to[1] = sqz_even_bytes(b);
    to[2] = sqz_odd_bytes(a);
    to[3] = sqz_odd_bytes(b);
    return to + 4;
}

/* Single input number i of those that make no group of four: pairs (0, 1), (2, 3) …, the last padded with 0. */
static void widen1(uint32_t *tail, unsigned i, int8_t first, int8_t second) {
    uint32_t *to = tail + i / 2 * PIXELS;
    const unsigned half = i % 2 * 16;
    to[0] = (half ? to[0] : 0u) | (uint32_t)(uint16_t)first << half;
    to[1] = (half ? to[1] : 0u) | (uint32_t)(uint16_t)second << half;
}

static unsigned pairs_of(const segments *s) {
    return s->count * (s->bytes / 4) * 2 + (s->count * (s->bytes % 4) + 1) / 2;
}

/* Widen the inputs of pixels x and x + 1 (of x twice if it is the last): first the groups of four of all segments,
 * then the bytes left over of all segments. */
static void fill_patch(const sqz_conv *conv, const sqz_rows *rows, const segments *s, unsigned x, uint32_t *patch) {
    const unsigned left = s->bytes % 4, next = x + 1 < conv->out_width ? x + 1 : x;
    uint32_t *tail = patch + s->count * (s->bytes / 4) * 4;
    int8_t *edges = (int8_t *)(patch + pairs_of(s) * PIXELS);
    for (unsigned i = 0; i < s->count; ++i) {
        const int8_t *first = segment(conv, rows, x, i, s, edges);
        const int8_t *second = segment(conv, rows, next, i, s, edges + s->bytes);
        for (const int8_t *end = first + (s->bytes - left); first != end; first += 4, second += 4) {
            patch = widen4(patch, first, second);
        }
        for (unsigned j = 0; j < left; ++j) {
            widen1(tail, i * left + j, first[j], second[j]);
        }
    }
}

/* One channel's way from sums to int8: what does not depend on the pixel. */
typedef struct scaling {
    int32_t multiplier, offset; /* offset: rounding and zero point, before the shift */
    int shift;                  /* one less than all of it: the last bit is shifted out while saturating */
} scaling;

static const int32_t one_half = 1 << 30;

static inline scaling scaling_of(const sqz_requant *to, unsigned channel) {
    const int shift = -1 - to->shift[channel * to->step];
    const int32_t multiplier = to->multiplier ? to->multiplier[channel * to->step] : one_half;
    return (scaling){multiplier, (2 * to->zero_point + 1) * (1 << shift), shift};
}

/* Twice a sum to int8. Halves are rounded away from zero, so 1 is taken from what is negative. With RELU what is
 * negative becomes the zero point. */
static inline int8_t scaled(int32_t twice, scaling by, int relu) {
    const int32_t sign = twice >> 31;
    if (relu) {
        return sqz_half_saturated(sqz_smmlar(twice & ~sign, by.multiplier, by.offset) >> by.shift);
    }
    return sqz_half_saturated((sqz_smmlar(twice, by.multiplier, by.offset) + sign) >> by.shift);
}

/* Where the next channel of two pixels goes; both are the same pixel if the row ends. */
typedef struct target {
    const sqz_conv *conv;
    int8_t *first, *second;
    int relu;
} target;

static inline void put(target *to, unsigned channel, int32_t twice_first, int32_t twice_second) {
    const scaling by = scaling_of(&to->conv->requant, channel);
    *to->first++ = scaled(twice_first, by, to->relu);
    *to->second++ = scaled(twice_second, by, to->relu);
}

#if defined(SQZ_DSP_ASM)
#define STEP                                     \
    "ldrd %[w0], %[w1], [%[w]], #8\n\t"          \
    "ldrd %[a0], %[a1], [%[a]], #8\n\t"          \
    "smlad %[s2], %[w0], %[a0], %[s2]\n\t"       \
    "smlad %[s3], %[w0], %[a1], %[s3]\n\t"       \
    "smlad %[s6], %[w1], %[a0], %[s6]\n\t"       \
    "smlad %[s7], %[w1], %[a1], %[s7]\n\t"       \
    "sxtb16 %[w0], %[w0]\n\t"                    \
    "sxtb16 %[w1], %[w1]\n\t"                    \
    "smlad %[s0], %[w0], %[a0], %[s0]\n\t"       \
    "smlad %[s1], %[w0], %[a1], %[s1]\n\t"       \
    "smlad %[s4], %[w1], %[a0], %[s4]\n\t"       \
    "smlad %[s5], %[w1], %[a1], %[s5]\n\t"
#define STEPS 8u
#define STEP_BYTES 48u

/* sum: channel 0 of pixels 0 and 1, channels 0 and 1 together, then the same of channels 2 and 3. Returns the weights
 * that follow. Eight steps a round; the first round is entered where the rest of a division by eight begins. */
static inline const int8_t *dot(int32_t *sum, const int8_t *w, const uint32_t *a, unsigned pairs) {
    const uint32_t *const end = a + pairs * PIXELS;
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
    for (; pairs; --pairs, a += PIXELS) {
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
static inline int32_t twice_apart(int32_t both, int32_t first) {
    return (int32_t)((uint32_t)both - (uint32_t)first) >> 7;
}

static inline const int8_t *four_channels(target *to, const int8_t *weights, const uint32_t *patch, unsigned pairs,
                                          unsigned channel) {
    const int32_t *bias = to->conv->bias + channel;
    int32_t sum[8] = {bias[0], bias[0], 0, 0, bias[2], bias[2], 0, 0};
    sum[2] = sum[3] = together(bias[0], bias[1]);
    sum[6] = sum[7] = together(bias[2], bias[3]);
    weights = dot(sum, weights, patch, pairs);
    put(to, channel, sum[0] * 2, sum[1] * 2);
    put(to, channel + 1, twice_apart(sum[2], sum[0]), twice_apart(sum[3], sum[1]));
    put(to, channel + 2, sum[4] * 2, sum[5] * 2);
    put(to, channel + 3, twice_apart(sum[6], sum[4]), twice_apart(sum[7], sum[5]));
    return weights;
}

/* Two channels whose bytes are unpacked one by one; the second may not exist. */
static const int8_t *two_channels(target *to, const int8_t *weights, const uint32_t *patch, unsigned pairs,
                                  unsigned channel) {
    const unsigned both = channel + 1 < to->conv->out_channels;
    const int32_t *bias = to->conv->bias + channel;
    int32_t sum[4] = {bias[0], bias[0], bias[both], bias[both]};
    for (; pairs; --pairs, patch += PIXELS, weights += 4) {
        const uint32_t word = sqz_load4(weights), first = sqz_even_bytes(word), second = sqz_odd_bytes(word);
        sum[0] = sqz_smlad(first, patch[0], sum[0]);
        sum[1] = sqz_smlad(first, patch[1], sum[1]);
        sum[2] = sqz_smlad(second, patch[0], sum[2]);
        sum[3] = sqz_smlad(second, patch[1], sum[3]);
    }
    put(to, channel, sum[0] * 2, sum[1] * 2);
    if (both) {
        put(to, channel + 1, sum[2] * 2, sum[3] * 2);
    }
    return weights;
}

/* Channels `from` to `to_channel`, a multiple of four apart unless it is the end. Returns the weights that follow. */
static const int8_t *tile(target *to, const int8_t *weights, const uint32_t *patch, unsigned pairs, unsigned from,
                          unsigned end) {
    for (; from + GROUP <= end; from += GROUP) {
        weights = four_channels(to, weights, patch, pairs, from);
    }
    for (; from < end; from += 2) {
        weights = two_channels(to, weights, patch, pairs, from);
    }
    return weights;
}

static int is_relu(const sqz_conv *conv) {
    return conv->requant.lowest == conv->requant.zero_point;
}

void sqz_conv_row_dsp(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    const segments s = segments_of(conv);
    int8_t *pixel = rows->out;
    for (unsigned x = 0; x < conv->out_width; x += PIXELS, pixel += PIXELS * conv->out_stride) {
        target to = {conv, pixel, pixel + (x + 1 < conv->out_width ? conv->out_stride : 0), is_relu(conv)};
        fill_patch(conv, rows, &s, x, rows->scratch);
        (void)tile(&to, conv->weights, rows->scratch, pairs_of(&s), 0, conv->out_channels);
    }
}

void sqz_conv_row_dsp_wide(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    const segments s = segments_of(conv);
    int8_t *pixel = rows->out;
    for (unsigned x = 0; x < conv->out_width; x += PIXELS, pixel += PIXELS * conv->out_stride) {
        target to = {conv, pixel, pixel + (x + 1 < conv->out_width ? conv->out_stride : 0), is_relu(conv)};
        const int8_t *weights = conv->weights;
        fill_patch(conv, rows, &s, x, rows->scratch);
        for (unsigned o = 0; o < conv->out_channels; o += 2) {
            weights = two_channels(&to, weights, rows->scratch, pairs_of(&s), o);
        }
    }
}

/* Adds the pixels of a block of channels to the sums. */
static void add_block(int32_t *sums, const int8_t *first, const int8_t *second, unsigned channels) {
    for (unsigned i = 0; i < channels; ++i) {
        sums[i] += first[i] + (second ? second[i] : 0);
    }
}

/* The map is never stored: a block of channels of two pixels at a time is summed. */
void sqz_conv_mean_row_dsp(const void *params, const sqz_rows *rows) {
    const sqz_conv_mean *both = params;
    const sqz_conv *conv = &both->conv;
    const segments s = segments_of(conv);
    int8_t first[BLOCK], second[BLOCK];
    for (unsigned x = 0; x < conv->out_width; x += PIXELS) {
        const int8_t *weights = conv->weights;
        fill_patch(conv, rows, &s, x, rows->scratch);
        for (unsigned o = 0; o < conv->out_channels; o += BLOCK) {
            const unsigned end = o + BLOCK < conv->out_channels ? o + BLOCK : conv->out_channels;
            target to = {conv, first, second, is_relu(conv)};
            weights = tile(&to, weights, rows->scratch, pairs_of(&s), o, end);
            add_block((int32_t *)rows->state + o, first, x + 1 < conv->out_width ? second : NULL, end - o);
        }
    }
    sqz_conv_mean_finish(both, rows);
}
