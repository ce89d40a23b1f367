/* Sums of products of int8, four at a time: what is left of a loop's overhead is small on any processor. */
#ifndef SQZ_DOT_H
#define SQZ_DOT_H
#include <stdint.h>

static inline int32_t sqz_dot(const int8_t *a, const int8_t *b, uint32_t count) {
    int32_t sum = 0;
    for (; count >= 4; count -= 4, a += 4, b += 4) {
        sum += a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
    }
    for (; count > 0; --count) {
        sum += *a++ * *b++;
    }
    return sum;
}

static inline int32_t sqz_sum(const int8_t *a, uint32_t count) {
    int32_t sum = 0;
    for (; count > 0; --count) {
        sum += *a++;
    }
    return sum;
}

#endif
