#include "sqz_connected.h"

static int bits_of(uint64_t x) {
    int bits = 0;
    for (; x != 0; x >>= 1) {
        ++bits;
    }
    return bits;
}

int32_t sqz_exactly_scaled(uint32_t magnitude, uint32_t high, uint32_t low, int shift) {
    const uint64_t lower = (uint64_t)magnitude * low;
    uint64_t product = (uint64_t)magnitude * high + (lower >> 31); /* in units of 2^31 */
    uint32_t rest = (uint32_t)(lower & INT32_MAX);
    /* A double's rounding matters only where it reaches up to a half: half of its last place is added. */
    const int spare = 31 + bits_of(product) - 53;
    rest += product != 0 && spare > 0 ? 1u << (spare - 1) : 0;
    product += rest >> 31;
    return shift < 32 + 63 ? (int32_t)((product + ((uint64_t)1 << (shift - 32))) >> (shift - 31)) : 0;
}
