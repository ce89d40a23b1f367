#include "sqz_tile_mve.h"
#include "sqz_bytes.h"
#include "sqz_requantize.h"

#define VECTOR 16u

#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__) && defined(__OPTIMIZE__) && !defined(SQZ_NO_ASM)
#define SQZ_MVE 1
#endif

void sqz_mve_begin(sqz_mve_tile *tile, const sqz_conv *conv, const sqz_rows *rows) {
    tile->window = sqz_window_begin(conv, rows);
    sqz_tables_begin(&tile->tables, &conv->requant);
    tile->patch = rows->scratch;
    tile->inputs = tile->window.segments * tile->window.bytes;
    tile->stride = (tile->inputs + VECTOR - 1) / VECTOR * VECTOR;
}

/* The inputs of pixel x: where they lie, if that is one run of whole vectors, or copied to the patch. */
static const int8_t *inputs_of(const sqz_mve_tile *tile, unsigned x, int8_t *patch) {
    const sqz_window *window = &tile->window;
    const int32_t offset = sqz_window_offset(window, x);
    const unsigned row_step = window->conv->dilation_h, bytes = window->bytes;
    int8_t *to = patch;
    if (offset >= 0 && window->segments == 1 && tile->inputs == tile->stride) {
        return window->in[0] + offset;
    }
    sqz_set(patch + tile->inputs, 0, tile->stride - tile->inputs);
    for (unsigned i = 0; i < window->segments; ++i, to += bytes) {
        if (offset >= 0) {
            sqz_copy(to, window->in[i * row_step] + offset, bytes);
        } else {
            sqz_window_copy(window, x, i, to);
        }
    }
    return patch;
}

void sqz_mve_fill(sqz_mve_tile *tile, unsigned x) {
    tile->first = inputs_of(tile, x, tile->patch);
    tile->second = x + 1 < tile->window.conv->out_width ? inputs_of(tile, x + 1, tile->patch + tile->stride) : tile->first;
}

#if defined(SQZ_MVE)

#define BLOCK                                                                                                     \
    "vldrb.8 %q[v0], [%[a0]], #16\n\tvldrb.8 %q[v1], [%[a1]], #16\n\t"                                            \
    "vldrb.8 q2, [%[w]], #16\n\tvldrb.8 q3, [%[w]], #16\n\t"                                                      \
    "vmladava.s8 r0, %q[v0], q2\n\tvmladava.s8 r2, %q[v1], q2\n\tvldrb.8 q2, [%[w]], #16\n\t"                     \
    "vmladava.s8 r4, %q[v0], q3\n\tvmladava.s8 r6, %q[v1], q3\n\tvldrb.8 q3, [%[w]], #16\n\t"                     \
    "vmladava.s8 r8, %q[v0], q2\n\tvmladava.s8 r10, %q[v1], q2\n\t"                                               \
    "vmladava.s8 r12, %q[v0], q3\n\tvmladava.s8 lr, %q[v1], q3\n\t"
#define BLOCKS 4u /* a round */
#define BLOCK_BYTES 56u
#define ROUND_BYTES (BLOCKS * BLOCK_BYTES + 8u)

/* How `dot` is entered: the first round where the rest of a division by four begins, or behind the last. */
typedef struct plan {
    unsigned rounds, skip, tail;
} plan;

static plan plan_of(unsigned inputs) {
    const unsigned blocks = inputs / VECTOR;
    return (plan){(blocks + BLOCKS - 1) / BLOCKS, blocks ? (0u - blocks) % BLOCKS * BLOCK_BYTES : ROUND_BYTES,
                  inputs % VECTOR};
}

/* bias + the sums of four channels, of the pixel at a0 and the one at a1. Returns the weights that follow. The eight
 * sums take all even registers, which VMLADAVA asks for. */
static inline const int8_t *dot(int32x4_t *first, int32x4_t *second, const int8_t *w, const int8_t *a0, const int8_t *a1,
                                const int32_t *bias, const plan *how) {
    int32x4_t v0, v1;
    const unsigned skip = how->skip, tail = how->tail;
    unsigned rounds = how->rounds;
    __asm__ volatile("ldrd r0, r4, [%[b]]\n\tldrd r8, r12, [%[b], #8]\n\t"
                     "mov r2, r0\n\tmov r6, r4\n\tmov r10, r8\n\tmov lr, r12\n\t"
                     "ldr %[b], %[skip]\n\tadd pc, %[b]\n\tnop\n"
                     "1:\t" BLOCK BLOCK BLOCK BLOCK
                     "subs.w %[n], %[n], #1\n\tbne.w 1b\n\t"
                     "ldr %[n], %[tail]\n\tcmp %[n], #0\n\tbeq 2f\n\t"
                     "vldrb.8 %q[v0], [%[a0]]\n\tvldrb.8 %q[v1], [%[a1]]\n\t"
                     "vldrb.8 q2, [%[w]]\n\tadd %[w], %[n]\n\tvldrb.8 q3, [%[w]]\n\tadd %[w], %[n]\n\t"
                     "vmladava.s8 r0, %q[v0], q2\n\tvmladava.s8 r2, %q[v1], q2\n\t"
                     "vldrb.8 q2, [%[w]]\n\tadd %[w], %[n]\n\t"
                     "vmladava.s8 r4, %q[v0], q3\n\tvmladava.s8 r6, %q[v1], q3\n\t"
                     "vldrb.8 q3, [%[w]]\n\tadd %[w], %[n]\n\t"
                     "vmladava.s8 r8, %q[v0], q2\n\tvmladava.s8 r10, %q[v1], q2\n\t"
                     "vmladava.s8 r12, %q[v0], q3\n\tvmladava.s8 lr, %q[v1], q3\n"
                     "2:\tvmov %q[v0][2], %q[v0][0], r0, r8\n\tvmov %q[v0][3], %q[v0][1], r4, r12\n\t"
                     "vmov %q[v1][2], %q[v1][0], r2, r10\n\tvmov %q[v1][3], %q[v1][1], r6, lr"
                     : [v0] "=&w"(v0), [v1] "=&w"(v1), [w] "+r"(w), [a0] "+r"(a0), [a1] "+r"(a1), [n] "+r"(rounds),
                       [b] "+r"(bias)
                     : [skip] "m"(skip), [tail] "m"(tail)
                     : "q2", "q3", "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "cc", "memory");
    *first = v0;
    *second = v1;
    return w;
}

/* Sums to sums / 2^31 * multiplier / 2^-shift. Halves are rounded away from zero, so 1 is taken from what is negative. */
static inline int32x4_t scaled(int32x4_t sums, int32x4_t multiplier, int32x4_t shift) {
    return vrshlq_s32(vqrdmulhq_s32(sums, multiplier), shift);
}

static inline int32x4_t scaled_away(int32x4_t sums, int32x4_t multiplier, int32x4_t shift, int32x4_t least) {
    const int32x4_t q = vqrdmulhq_s32(vmaxq_s32(sums, least), multiplier);
    return vrshlq_s32(vaddq_s32(q, vshrq_n_s32(q, 31)), shift);
}

/* Four channels of both pixels, saturated. */
static inline void put(int8_t *first, int8_t *second, int32x4_t left, int32x4_t right, int zero_point) {
    int16x8_t both = vqmovntq_s32(vqmovnbq_s32(vuninitializedq_s16(), left), right);
    both = vqaddq_n_s16(both, (int16_t)zero_point);
    const int8x16_t bytes = vqmovnbq_s16(vuninitializedq_s8(), both);
    vstrbq_s32(first, vreinterpretq_s32_s8(bytes));
    vstrbq_u32((uint8_t *)second, vshrq_n_u32(vreinterpretq_u32_s8(bytes), 16));
}

static const int8_t *fours(const sqz_mve_tile *tile, const int8_t *weights, unsigned channel, unsigned count, int8_t *first,
                           int8_t *second) {
    const sqz_tables *tables = &tile->tables;
    const sqz_requant *to = &tile->window.conv->requant;
    const plan how = plan_of(tile->inputs);
    const int zero_point = to->zero_point;
    const int32x4_t least = vdupq_n_s32(to->lowest == zero_point ? 0 : INT32_MIN);
    const int32_t *bias = tile->window.conv->bias + channel, *multiplier = tables->multiplier + channel / 4 * tables->multiplier_step;
    const int8_t *shift = tables->shift + channel / 4 * tables->shift_step;
    const int8_t *a0 = tile->first, *a1 = tile->second;
    const unsigned multiplier_step = tables->multiplier_step, shift_step = tables->shift_step;
    for (; count; --count, bias += 4, multiplier += multiplier_step, shift += shift_step, first += 4, second += 4) {
        int32x4_t left, right;
        weights = dot(&left, &right, weights, a0, a1, bias, &how);
        const int32x4_t m = vldrwq_s32(multiplier), s = vldrbq_s32(shift);
        if (zero_point == -128) { /* all that is not positive saturates */
            put(first, second, scaled(left, m, s), scaled(right, m, s), zero_point);
        } else {
            put(first, second, scaled_away(left, m, s, least), scaled_away(right, m, s, least), zero_point);
        }
    }
    return weights;
}

#else

/* One of four channels. `weights` are those of all four. */
static int32_t sum_of(const int8_t *weights, const int8_t *inputs, unsigned count, unsigned channel) {
    int32_t sum = 0;
    for (unsigned i = 0; i < count; ++i) {
        const unsigned block = i / VECTOR * VECTOR, left = count - block < VECTOR ? count - block : VECTOR;
        sum += weights[block * 4 + channel * left + i % VECTOR] * inputs[i];
    }
    return sum;
}

static const int8_t *fours(const sqz_mve_tile *tile, const int8_t *weights, unsigned channel, unsigned count, int8_t *first,
                           int8_t *second) {
    const sqz_conv *conv = tile->window.conv;
    for (unsigned i = 0; i < count * 4; ++i, ++channel, weights += i % 4 ? 0 : 4 * tile->inputs) {
        const int32_t left = sum_of(weights, tile->first, tile->inputs, i % 4);
        const int32_t right = sum_of(weights, tile->second, tile->inputs, i % 4);
        first[i] = sqz_requantize(&conv->requant, conv->bias[channel] + left, channel);
        second[i] = sqz_requantize(&conv->requant, conv->bias[channel] + right, channel);
    }
    return weights;
}

#endif

static int32_t sum_of_one(const int8_t *weights, const int8_t *inputs, unsigned count) {
    int32_t sum = 0;
    for (unsigned i = 0; i < count; ++i) {
        sum += weights[i] * inputs[i];
    }
    return sum;
}

const int8_t *sqz_mve_channels(const sqz_mve_tile *tile, const int8_t *weights, unsigned channel, unsigned end,
                                int8_t *first, int8_t *second) {
    const sqz_conv *conv = tile->window.conv;
    const unsigned whole = (end - channel) / 4;
    weights = fours(tile, weights, channel, whole, first, second);
    for (unsigned i = whole * 4; channel + i < end; ++i, weights += tile->inputs) {
        const int32_t left = sum_of_one(weights, tile->first, tile->inputs);
        const int32_t right = sum_of_one(weights, tile->second, tile->inputs);
        first[i] = sqz_requantize(&conv->requant, conv->bias[channel + i] + left, channel + i);
        second[i] = sqz_requantize(&conv->requant, conv->bias[channel + i] + right, channel + i);
    }
    return weights;
}
