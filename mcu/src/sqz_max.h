/* The larger of two int8, of as many at once as the processor can: SQZ_MAX_LANES. Loads and stores need no alignment. */
#ifndef SQZ_MAX_H
#define SQZ_MAX_H
#include <stdint.h>
#include <string.h>

static inline int8_t sqz_larger(int8_t a, int8_t b) {
    return a > b ? a : b;
}

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
#define SQZ_MAX_LANES 16u
typedef int8x16_t sqz_lanes;

static inline sqz_lanes sqz_lanes_load(const int8_t *from) {
    return vldrbq_s8(from);
}

static inline void sqz_lanes_store(int8_t *to, sqz_lanes value) {
    vstrbq_s8(to, value);
}

static inline sqz_lanes sqz_lanes_max(sqz_lanes a, sqz_lanes b) {
    return vmaxq_s8(a, b);
}

#elif defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_SIMD32)
#include <arm_acle.h>
#define SQZ_MAX_LANES 4u
typedef int8x4_t sqz_lanes;

static inline sqz_lanes sqz_lanes_load(const int8_t *from) {
    sqz_lanes value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline void sqz_lanes_store(int8_t *to, sqz_lanes value) {
    memcpy(to, &value, sizeof value);
}

/* SSUB8 marks the lanes where a >= b, SEL takes those from a. */
static inline sqz_lanes sqz_lanes_max(sqz_lanes a, sqz_lanes b) {
    (void)__ssub8(a, b);
    return (sqz_lanes)__sel((uint8x4_t)a, (uint8x4_t)b);
}

#else
#define SQZ_MAX_LANES 1u
typedef int8_t sqz_lanes;

static inline sqz_lanes sqz_lanes_load(const int8_t *from) {
    return *from;
}

static inline void sqz_lanes_store(int8_t *to, sqz_lanes value) {
    *to = value;
}

static inline sqz_lanes sqz_lanes_max(sqz_lanes a, sqz_lanes b) {
    return sqz_larger(a, b);
}
#endif

#endif
