/* The larger of two int8, of as many at once as the processor can: SQZ_LANES. Loads and stores need no alignment; they
 * take as many bytes as they are told, and are fast where that is the constant SQZ_LANES. */
#ifndef SQZ_MAX_H
#define SQZ_MAX_H
#include <stdint.h>
#include <string.h>

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
#define SQZ_LANES 16u
typedef int8x16_t sqz_lanes;

static inline sqz_lanes sqz_lanes_load(const int8_t *from, unsigned lanes) {
    return lanes == SQZ_LANES ? vldrbq_s8(from) : vldrbq_z_s8(from, vctp8q(lanes));
}

static inline void sqz_lanes_store(int8_t *to, sqz_lanes value, unsigned lanes) {
    if (lanes == SQZ_LANES) {
        vstrbq_s8(to, value);
    } else {
        vstrbq_p_s8(to, value, vctp8q(lanes));
    }
}

static inline sqz_lanes sqz_lanes_max(sqz_lanes a, sqz_lanes b) {
    return vmaxq_s8(a, b);
}

#elif defined(__ARM_NEON)
#include <arm_neon.h>
#define SQZ_LANES 16u
typedef int8x16_t sqz_lanes;

static inline sqz_lanes sqz_lanes_load(const int8_t *from, unsigned lanes) {
    if (lanes == SQZ_LANES) {
        return vld1q_s8(from);
    }
    int8_t some[SQZ_LANES] = {0};
    memcpy(some, from, lanes);
    return vld1q_s8(some);
}

static inline void sqz_lanes_store(int8_t *to, sqz_lanes value, unsigned lanes) {
    if (lanes == SQZ_LANES) {
        vst1q_s8(to, value);
        return;
    }
    int8_t some[SQZ_LANES];
    vst1q_s8(some, value);
    memcpy(to, some, lanes);
}

static inline sqz_lanes sqz_lanes_max(sqz_lanes a, sqz_lanes b) {
    return vmaxq_s8(a, b);
}

#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>
#define SQZ_LANES 16u
typedef v128_t sqz_lanes;

static inline sqz_lanes sqz_lanes_load(const int8_t *from, unsigned lanes) {
    if (lanes == SQZ_LANES) {
        return wasm_v128_load(from);
    }
    int8_t some[SQZ_LANES] = {0};
    for (unsigned i = 0; i < lanes; ++i) {
        some[i] = from[i];
    }
    return wasm_v128_load(some);
}

static inline void sqz_lanes_store(int8_t *to, sqz_lanes value, unsigned lanes) {
    if (lanes == SQZ_LANES) {
        wasm_v128_store(to, value);
        return;
    }
    int8_t some[SQZ_LANES];
    wasm_v128_store(some, value);
    for (unsigned i = 0; i < lanes; ++i) {
        to[i] = some[i];
    }
}

static inline sqz_lanes sqz_lanes_max(sqz_lanes a, sqz_lanes b) {
    return wasm_i8x16_max(a, b);
}

#elif defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_SIMD32)
#include <arm_acle.h>
#define SQZ_LANES 4u
typedef int8x4_t sqz_lanes;

static inline sqz_lanes sqz_lanes_load(const int8_t *from, unsigned lanes) {
    sqz_lanes value = 0;
    memcpy(&value, from, lanes);
    return value;
}

static inline void sqz_lanes_store(int8_t *to, sqz_lanes value, unsigned lanes) {
    memcpy(to, &value, lanes);
}

/* SSUB8 marks the lanes where a >= b, SEL takes those from a. */
static inline sqz_lanes sqz_lanes_max(sqz_lanes a, sqz_lanes b) {
    (void)__ssub8(a, b);
    return (sqz_lanes)__sel((uint8x4_t)a, (uint8x4_t)b);
}

#else
#define SQZ_LANES 1u
typedef int8_t sqz_lanes;

static inline sqz_lanes sqz_lanes_load(const int8_t *from, unsigned lanes) {
    (void)lanes;
    return *from;
}

static inline void sqz_lanes_store(int8_t *to, sqz_lanes value, unsigned lanes) {
    (void)lanes;
    *to = value;
}

static inline sqz_lanes sqz_lanes_max(sqz_lanes a, sqz_lanes b) {
    return a > b ? a : b;
}
#endif

#endif
