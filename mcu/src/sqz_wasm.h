/* What the kernels for WebAssembly share: the records of eight channels, and from int32 sums to int8.
 *
 * With SIMD (-msimd128) four lanes are scaled at once, without it one; both read the same records:
 *   int32 bias [8], int32 multiplier [8], int16 scale [8], int16 exponent, zeros up to 96 bytes, weights: for each
 *   pair of inputs int8 [8 channels, 2].
 * WebAssembly shifts all lanes alike, so sums are multiplied by `scale` first, 2^(exponent - e) where e is how far
 * TFLite shifts the channel to the right. TFLite rounds twice, (x * multiplier + 2^30) >> 31 and then halves away from
 * zero. A floor of a floor is one floor, so with x' = x * scale that is
 *   ((x' * multiplier >> 32) + 2^(exponent - 2) + scale / 4 - (x < 0 ? scale / 2 : 0)) >> (exponent - 1).
 * The two differ in whether x < 0 or its first rounding is: only where that is 0, and then both give 0.
 *
 * That needs e from 1 to 28, multipliers of at least 2^30 or 0, 4 <= scale <= 2^14, and x' that fit 32 bits, which the compiler
 * proves. Of a group that lacks one of them the exponent is 0, `scale` is TFLite's shift, and each channel is scaled alone. */
#ifndef SQZ_WASM_H
#define SQZ_WASM_H
#include "sqz_load.h"
#include "sqz_requantize.h"

#define SQZ_WASM_CHANNELS 8u
#define SQZ_WASM_HEAD 96u  /* bytes of a record before its weights */
#define SQZ_WASM_PAIR 16u  /* bytes of weights of two inputs */

static inline int16_t sqz_wasm_load2(const int8_t *from) {
    return (int16_t)((uint8_t)from[0] | from[1] * 256);
}

static inline int32_t sqz_wasm_bias(const int8_t *record, unsigned channel) {
    return (int32_t)sqz_load4(record + 4 * channel);
}

/* The int8 that the sum of one channel, its bias included, becomes. */
static inline int8_t sqz_wasm_requantize(const sqz_requant *to, const int8_t *record, unsigned channel, int32_t sum) {
    const int32_t multiplier = (int32_t)sqz_load4(record + 32 + 4 * channel);
    const int scale = sqz_wasm_load2(record + 64 + 2 * channel), exponent = sqz_wasm_load2(record + 80);
    if (!exponent) {
        return sqz_clamp(sqz_multiply(sum, multiplier, scale) + to->zero_point, to->lowest, to->highest);
    }
    const int32_t product = (int32_t)((int64_t)(sum * scale) * multiplier >> 32);
    const int32_t rounding = (1 << (exponent - 2)) + (scale >> 2) - ((sum >> 31) & (scale >> 1));
    return sqz_clamp(((product + rounding) >> (exponent - 1)) + to->zero_point, to->lowest, to->highest);
}
#if defined(__wasm_simd128__)
#include <wasm_simd128.h>
#define SQZ_WASM_SIMD 1

#define SQZ_INLINE static inline __attribute__((always_inline))
#define SQZ_UNROLL _Pragma("clang loop unroll(full)")

/* A record's head made ready for many sums. */
typedef struct sqz_wasm_scale {
    v128_t bias[2], multiplier[2], scale[2], added[2], taken[2]; /* `taken` from negative sums */
    v128_t zero_point, lowest, highest;
    unsigned shift; /* 0: each alone, by `to` and `record` */
    const sqz_requant *to;
    const int8_t *record;
} sqz_wasm_scale;

/* Of some pixels: channels 0 to 3, 4 to 7. */
#define SQZ_WASM_PIXELS 4u
typedef v128_t sqz_wasm_sums[SQZ_WASM_PIXELS][2];

SQZ_INLINE void sqz_wasm_limits(sqz_wasm_scale *scale, const sqz_requant *to) {
    scale->zero_point = wasm_i16x8_splat(to->zero_point);
    scale->lowest = wasm_i8x16_splat(to->lowest);
    scale->highest = wasm_i8x16_splat(to->highest);
    scale->to = to;
}

SQZ_INLINE void sqz_wasm_head(sqz_wasm_scale *to, const int8_t *record) {
    const int exponent = sqz_wasm_load2(record + 80);
    const v128_t half = wasm_i32x4_splat(exponent ? 1 << (exponent - 2) : 0);
    to->shift = exponent ? (unsigned)exponent - 1 : 0;
    to->record = record;
    SQZ_UNROLL for (unsigned i = 0; i < 2; ++i) {
        to->bias[i] = wasm_v128_load(record + 16 * i);
        to->multiplier[i] = wasm_v128_load(record + 32 + 16 * i);
        to->scale[i] = wasm_i32x4_load16x4(record + 64 + 8 * i);
        to->added[i] = wasm_i32x4_add(half, wasm_i32x4_shr(to->scale[i], 2));
        to->taken[i] = wasm_i32x4_shr(to->scale[i], 1);
    }
}

/* Four channels, `half` of the record's eight. */
SQZ_INLINE v128_t sqz_wasm_scaled(v128_t sum, const sqz_wasm_scale *by, const unsigned half) {
    const v128_t x = wasm_i32x4_mul(sum, by->scale[half]), multiplier = by->multiplier[half];
    const v128_t low = wasm_i64x2_extmul_low_i32x4(x, multiplier), high = wasm_i64x2_extmul_high_i32x4(x, multiplier);
    const v128_t product = wasm_i32x4_shuffle(low, high, 1, 3, 5, 7);
    const v128_t taken = wasm_v128_and(wasm_i32x4_shr(sum, 31), by->taken[half]);
    return wasm_i32x4_shr(wasm_i32x4_sub(wasm_i32x4_add(product, by->added[half]), taken), by->shift);
}

/* Eight channels of a pixel as int16, the zero point added. */
SQZ_INLINE v128_t sqz_wasm_eight(const v128_t *sum, const sqz_wasm_scale *by) {
    const v128_t low = sqz_wasm_scaled(sum[0], by, 0), high = sqz_wasm_scaled(sum[1], by, 1);
    return wasm_i16x8_add_sat(wasm_i16x8_narrow_i32x4(low, high), by->zero_point);
}

/* The int8 of eight channels of two pixels. */
SQZ_INLINE v128_t sqz_wasm_two(const v128_t *first, const v128_t *second, const sqz_wasm_scale *by) {
    const v128_t both = wasm_i8x16_narrow_i16x8(sqz_wasm_eight(first, by), sqz_wasm_eight(second, by));
    return wasm_i8x16_min(wasm_i8x16_max(both, by->lowest), by->highest);
}

static inline SQZ_NOINLINE void sqz_wasm_put_singly(sqz_wasm_sums sum, unsigned width, const sqz_wasm_scale *by, int8_t *out,
                                                    size_t stride) {
    for (unsigned i = 0; i < width; ++i, out += stride) {
        int32_t eight[SQZ_WASM_CHANNELS];
        wasm_v128_store(eight, sum[i][0]);
        wasm_v128_store(eight + 4, sum[i][1]);
        for (unsigned c = 0; c < SQZ_WASM_CHANNELS; ++c) {
            out[c] = sqz_wasm_requantize(by->to, by->record, c, eight[c]);
        }
    }
}

/* Stores the int8 of some pixels, `stride` bytes apart. */
SQZ_INLINE void sqz_wasm_put(sqz_wasm_sums sum, const unsigned width, const sqz_wasm_scale *by, int8_t *out, size_t stride) {
    if (SQZ_RARELY(!by->shift)) {
        sqz_wasm_sums copy; /* `sum` is in registers */
        SQZ_UNROLL for (unsigned i = 0; i < width; ++i) {
            copy[i][0] = sum[i][0];
            copy[i][1] = sum[i][1];
        }
        sqz_wasm_put_singly(copy, width, by, out, stride);
        return;
    }
    SQZ_UNROLL for (unsigned i = 0; i < width; i += 2) {
        const v128_t two = sqz_wasm_two(sum[i], sum[i + 1 < width ? i + 1 : i], by);
        wasm_v128_store64_lane(out + i * stride, two, 0);
        if (i + 1 < width) {
            wasm_v128_store64_lane(out + (i + 1) * stride, two, 1);
        }
    }
}

SQZ_INLINE void sqz_wasm_start(sqz_wasm_sums sum, const unsigned width, const sqz_wasm_scale *by) {
    SQZ_UNROLL for (unsigned i = 0; i < width; ++i) {
        sum[i][0] = by->bias[0];
        sum[i][1] = by->bias[1];
    }
}

#endif

#endif
