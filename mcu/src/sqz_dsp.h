/* The Cortex-M DSP instructions that convolution uses, and the same in C for every other processor. A word holds two
 * int16, low half first. */
#ifndef SQZ_DSP_H
#define SQZ_DSP_H
#include <stdint.h>

#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_SIMD32) && defined(__GNUC__) && defined(__thumb2__)
#define SQZ_DSP 1
#include <arm_acle.h>

/* sum + the products of the low and of the high halves, modulo 2^32. */
static inline int32_t sqz_smlad(uint32_t a, uint32_t b, int32_t sum) {
    return __smlad((int16x2_t)a, (int16x2_t)b, sum);
}

/* Bytes 0 and 2 as int16. */
static inline uint32_t sqz_even_bytes(uint32_t word) {
    return (uint32_t)__sxtb16((int8x4_t)word);
}

/* Bytes 1 and 3 as int16. */
static inline uint32_t sqz_odd_bytes(uint32_t word) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

#else

static inline int32_t sqz_smlad(uint32_t a, uint32_t b, int32_t sum) {
    const int32_t low = (int16_t)(a & 0xFFFFu) * (int16_t)(b & 0xFFFFu);
    const int32_t high = (int16_t)(a >> 16) * (int16_t)(b >> 16);
    return (int32_t)((uint32_t)sum + (uint32_t)low + (uint32_t)high);
}

static inline uint32_t sqz_even_bytes(uint32_t word) {
    const int8_t low = (int8_t)(word & 0xFFu), high = (int8_t)(word >> 16 & 0xFFu);
    return (uint16_t)low | (uint32_t)high << 16;
}

static inline uint32_t sqz_odd_bytes(uint32_t word) {
    return sqz_even_bytes(word >> 8);
}

#endif
#endif
