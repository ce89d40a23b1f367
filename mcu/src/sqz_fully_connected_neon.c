/* FULLY_CONNECTED for 64-bit ARM: four outputs at a time, sixteen inputs at a time. Without the dot product two products are
 * added as int16, so no weight is -128. */
#include "sqz_connected.h"
#include "sqz_dot.h"
#include "sqz_neon.h"

#if defined(SQZ_NEON)
#define VECTOR 16u

SQZ_INLINE int32x4_t base(int32x4_t sum, int8x16_t a, int8x16_t b) {
    return vpadalq_s16(sum, vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b));
}

/* Σ over the whole vectors of a row for four outputs, whose weights are `step` bytes apart. */
#define FOUR(name, with, add)                                                                               \
    static with int32x4_t name(const int8_t *in, const int8_t *weights, size_t step, unsigned vectors) {    \
        int32x4_t a = vdupq_n_s32(0), b = a, c = a, d = a;                                                  \
        for (; vectors; --vectors, in += VECTOR, weights += VECTOR) {                                       \
            const int8x16_t x = vld1q_s8(in);                                                               \
            a = add(a, vld1q_s8(weights), x);                                                               \
            b = add(b, vld1q_s8(weights + step), x);                                                        \
            c = add(c, vld1q_s8(weights + 2 * step), x);                                                    \
            d = add(d, vld1q_s8(weights + 3 * step), x);                                                    \
        }                                                                                                   \
        return vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d));                                              \
    }
FOUR(base_four, , base)
FOUR(dot_four, SQZ_WITH_DOT, sqz_neon_dot)

static void four_sums(const int8_t *inputs, const int8_t *weights, size_t step, unsigned count, int32_t *sums) {
    const unsigned vectors = count / VECTOR, done = vectors * VECTOR;
    vst1q_s32(sums, (sqz_neon_level() == SQZ_NEON_BASE ? base_four : dot_four)(inputs, weights, step, vectors));
    for (unsigned o = 0; o < 4; ++o) {
        sums[o] += sqz_dot(inputs + done, weights + o * step + done, count - done);
    }
}

#else

static void four_sums(const int8_t *inputs, const int8_t *weights, size_t step, unsigned count, int32_t *sums) {
    for (unsigned o = 0; o < 4; ++o) {
        sums[o] = sqz_dot(inputs, weights + o * step, count);
    }
}

#endif

void sqz_fully_connected_row_neon(const void *params, const sqz_rows *rows) {
    const sqz_fully_connected *fc = params;
    const size_t step = (size_t)fc->height * fc->row_bytes;
    const int8_t *weights = fc->weights + (size_t)rows->y * fc->row_bytes;
    sqz_factor factor = sqz_factor_of(&fc->requant, 0);
    unsigned o = 0;
    for (; o + 4 <= fc->out_channels; o += 4, weights += 4 * step) {
        int32_t sums[4];
        four_sums(rows->in[0], weights, step, fc->row_bytes, sums);
        for (unsigned i = 0; i < 4; ++i) {
            sqz_connected_put(fc, rows, o + i, sums[i], &factor);
        }
    }
    for (; o < fc->out_channels; ++o, weights += step) {
        sqz_connected_put(fc, rows, o, sqz_dot(rows->in[0], weights, fc->row_bytes), &factor);
    }
}

void sqz_fully_connected_each_row_neon(const void *params, const sqz_rows *rows) {
    sqz_connected_each(params, rows, sqz_fully_connected_row_neon);
}
