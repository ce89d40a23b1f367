/* Division for 32-bit Arm, whose oldest processors with NEON have no instruction for it: what clang calls instead. */
#include <stdint.h>

uint64_t __aeabi_uidivmod(uint32_t dividend, uint32_t divisor);
uint32_t __aeabi_uidiv(uint32_t dividend, uint32_t divisor);

/* The quotient in the low half, the remainder in the high one: r0 and r1. The kit never divides by zero. */
uint64_t __aeabi_uidivmod(uint32_t dividend, uint32_t divisor) {
    uint32_t quotient = 0, rest = 0;
    for (int bit = 31; bit >= 0; --bit) {
        const uint32_t carry = rest >> 31;
        rest = rest << 1 | (dividend >> bit & 1);
        if (carry || rest >= divisor) {
            rest -= divisor;
            quotient |= UINT32_C(1) << bit;
        }
    }
    return (uint64_t)rest << 32 | quotient;
}

uint32_t __aeabi_uidiv(uint32_t dividend, uint32_t divisor) {
    return (uint32_t)__aeabi_uidivmod(dividend, divisor);
}
