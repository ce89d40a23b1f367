/* The Cortex-M DSP instructions that convolution uses, and the same in C for every other processor.
 *
 * A word holds two int16 (low half first) or four int8 (lowest byte first), whatever the byte order of the machine.
 * -DSQZ_NO_ASM asks for intrinsics instead of the assembly loop, whose 14 registers leave none for a frame pointer.
 */
#ifndef SQZ_DSP_H
#define SQZ_DSP_H
#include <stdint.h>

#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_SIMD32) && defined(__GNUC__) && !defined(__ARM_BIG_ENDIAN)
#include <arm_acle.h>
#define SQZ_DSP 1
#if defined(__thumb2__) && defined(__OPTIMIZE__) && !defined(SQZ_NO_ASM)
#define SQZ_DSP_ASM 1
#endif
#endif

/* Four bytes, of any alignment. */
static inline uint32_t sqz_load4(const int8_t *from) {
    const uint8_t *byte = (const uint8_t *)from;
    return byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 | (uint32_t)byte[3] << 24;
}

#if defined(SQZ_DSP)

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

/* a * b / 2^32, halves up, + sum. */
static inline int32_t sqz_smmlar(int32_t a, int32_t b, int32_t sum) {
    int32_t result;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

/* x / 2, rounded down, as int8. */
static inline int8_t sqz_half_saturated(int32_t x) {
    int32_t result;
    __asm__("ssat %0, #8, %1, asr #1" : "=r"(result) : "r"(x));
    return (int8_t)result;
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

static inline int32_t sqz_smmlar(int32_t a, int32_t b, int32_t sum) {
    return (int32_t)((((int64_t)sum * ((int64_t)1 << 32)) + (int64_t)a * b + ((int64_t)1 << 31)) >> 32);
}

static inline int8_t sqz_half_saturated(int32_t x) {
    x >>= 1;
    return (int8_t)(x < -128 ? -128 : x > 127 ? 127 : x);
}

#endif
#endif
