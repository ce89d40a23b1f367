/* The Cortex-M DSP instructions that convolution uses, and the same in C for every other processor. A word holds two
 * int16, low half first. */
#ifndef SQZ_DSP_H
#define SQZ_DSP_H
#include "sqz_load.h"

/* Whether words may be loaded from any address. Clang up to 14 does not tell; it is so on every core with these
 * instructions unless the program forbids it (CCR.UNALIGN_TRP). */
#if defined(__ARM_FEATURE_UNALIGNED) || defined(__clang__)
#define SQZ_UNALIGNED 1
#else
#define SQZ_UNALIGNED 0
#endif

#if defined(__ARM_FEATURE_DSP) && SQZ_UNALIGNED && defined(__GNUC__) && defined(__thumb2__)
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

/* The same, added to the halves of `to`. */
static inline uint32_t sqz_add_even_bytes(uint32_t to, uint32_t word) {
    return (uint32_t)__sxtab16((int16x2_t)to, (int8x4_t)word);
}

static inline uint32_t sqz_add_odd_bytes(uint32_t to, uint32_t word) {
    uint32_t pair;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(pair) : "r"(to), "r"(word));
    return pair;
}

/* Sums and differences of both halves. */
static inline uint32_t sqz_add2(uint32_t a, uint32_t b) {
    return (uint32_t)__sadd16((int16x2_t)a, (int16x2_t)b);
}

static inline uint32_t sqz_sub2(uint32_t a, uint32_t b) {
    return (uint32_t)__ssub16((int16x2_t)a, (int16x2_t)b);
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

static inline uint32_t sqz_add2(uint32_t a, uint32_t b) {
    return ((a & 0xFFFFu) + (b & 0xFFFFu)) % 0x10000u | ((a >> 16) + (b >> 16)) << 16;
}

static inline uint32_t sqz_sub2(uint32_t a, uint32_t b) {
    return ((a & 0xFFFFu) - (b & 0xFFFFu)) % 0x10000u | ((a >> 16) - (b >> 16)) << 16;
}

static inline uint32_t sqz_add_even_bytes(uint32_t to, uint32_t word) {
    return sqz_add2(to, sqz_even_bytes(word));
}

static inline uint32_t sqz_add_odd_bytes(uint32_t to, uint32_t word) {
    return sqz_add2(to, sqz_odd_bytes(word));
}

#endif

static inline uint32_t sqz_times4(uint32_t a) {
    const uint32_t twice = sqz_add2(a, a);
    return sqz_add2(twice, twice);
}

/* Groups of four inputs of two pixels, at least one, as pairs (0, 2) and (1, 3) of each pixel in turn; `more`, two int16, is
 * added to each pair. */
/* Without optimization, and beside Helium's loops, too few registers are free. */
#if defined(SQZ_DSP) && defined(__OPTIMIZE__) && !defined(__ARM_FEATURE_MVE)
static inline uint32_t *sqz_widen(uint32_t *to, const int8_t *first, const int8_t *second, const int8_t *end,
                                  uint32_t more) {
    __asm__ volatile("1:\tldr r5, [%[first]], #4\n\tldr r6, [%[second]], #4\n\t"
                     "sxtab16 r3, %[more], r5\n\tsxtab16 r4, %[more], r6\n\t"
                     "sxtab16 r5, %[more], r5, ror #8\n\tsxtab16 r6, %[more], r6, ror #8\n\t"
                     "cmp %[first], %[end]\n\tstmia %[to]!, {r3-r6}\n\tbne 1b"
                     : [to] "+r"(to), [first] "+r"(first), [second] "+r"(second)
                     : [end] "r"(end), [more] "r"(more)
                     : "r3", "r4", "r5", "r6", "cc", "memory");
    return to;
}
#else
static inline uint32_t *sqz_widen(uint32_t *to, const int8_t *first, const int8_t *second, const int8_t *end,
                                  uint32_t more) {
    for (; first != end; first += 4, second += 4) {
        const uint32_t a = sqz_load4(first), b = sqz_load4(second);
        *to++ = sqz_add_even_bytes(more, a);
        *to++ = sqz_add_even_bytes(more, b);
        *to++ = sqz_add_odd_bytes(more, a);
        *to++ = sqz_add_odd_bytes(more, b);
    }
    return to;
}
#endif
#endif
