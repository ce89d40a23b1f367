/* ADD of two maps of one shape. */
#include "sqz_requantize.h"

#define LEFT_SHIFT 20 /* headroom that TFLite gives int8 before scaling */

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

#define LANES 4u

/* x * multiplier / 2^(31 - shift), rounded twice; TFLite scales down only: a shift is never positive. */
static inline int32x4_t scaled(int32x4_t x, int32_t multiplier, int8_t shift) {
    const int32x4_t high = vqrdmulhq_n_s32(x, multiplier), negative = vshrq_n_s32(high, 31);
    return vrshlq_n_s32(vaddq_s32(high, vandq_s32(negative, vdupq_n_s32(shift ? -1 : 0))), shift);
}

static inline int32x4_t input(const int8_t *from, int32_t zero_point, int32_t multiplier, int8_t shift) {
    return scaled(vshlq_n_s32(vsubq_n_s32(vldrbq_s32(from), zero_point), LEFT_SHIFT), multiplier, shift);
}

/* Four values. */
static inline int32x4_t four(const sqz_add *add, const int8_t *a, const int8_t *b) {
    const int32x4_t sum = vaddq_s32(input(a, add->zero_point_a, add->multiplier_a, add->shift_a),
                                    input(b, add->zero_point_b, add->multiplier_b, add->shift_b));
    const int32x4_t q = vaddq_n_s32(scaled(sum, add->multiplier_out, add->shift_out), add->zero_point_out);
    return vminq_s32(vmaxq_s32(q, vdupq_n_s32(add->lowest)), vdupq_n_s32(add->highest));
}

static void add_run(const sqz_add add, const int8_t *a, const int8_t *b, int8_t *out, unsigned count) {
    for (; count >= LANES; count -= LANES, a += LANES, b += LANES, out += LANES) {
        vstrbq_s32(out, four(&add, a, b));
    }
    if (count) {
        int8_t rest[3][LANES] = {0};
        for (unsigned i = 0; i < count; ++i) {
            rest[0][i] = a[i];
            rest[1][i] = b[i];
        }
        vstrbq_s32(rest[2], four(&add, rest[0], rest[1]));
        for (unsigned i = 0; i < count; ++i) {
            out[i] = rest[2][i];
        }
    }
}

#else

/* x / 2^20 * multiplier / 2^(31 - shift), rounded twice. */
static inline int32_t input(int32_t x, int32_t multiplier, int shift) {
    return sqz_shift_right(sqz_high_mul(x * (1 << LEFT_SHIFT), multiplier), shift);
}

static void add_run(const sqz_add add, const int8_t *a, const int8_t *b, int8_t *out, unsigned count) {
    const int shift_a = -add.shift_a, shift_b = -add.shift_b, shift_out = -add.shift_out; /* TFLite scales down only */
    for (; count; --count) {
        const int32_t sum = input(*a++ - add.zero_point_a, add.multiplier_a, shift_a) +
                            input(*b++ - add.zero_point_b, add.multiplier_b, shift_b);
        const int32_t q = sqz_shift_right(sqz_high_mul(sum, add.multiplier_out), shift_out) + add.zero_point_out;
        *out++ = sqz_clamp(q, add.lowest, add.highest);
    }
}

#endif

void sqz_add_row(const void *params, const sqz_rows *rows) {
    const sqz_add *add = params;
    const int8_t *a = rows->in[0], *b = rows->in[1];
    if (add->out_stride == add->channels) {
        add_run(*add, a, b, rows->out, (unsigned)add->width * add->channels);
        return;
    }
    int8_t *out = rows->out;
    for (unsigned x = 0; x < add->width; ++x, a += add->channels, b += add->channels, out += add->out_stride) {
        add_run(*add, a, b, out, add->channels);
    }
}
