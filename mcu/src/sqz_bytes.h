/* memcpy and memset, in line where Helium does a run of bytes in three instructions per sixteen. */
#ifndef SQZ_BYTES_H
#define SQZ_BYTES_H
#include <stdint.h>
#include <string.h>

#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__)
#include <arm_mve.h>

static inline void sqz_copy(int8_t *to, const int8_t *from, unsigned bytes) {
    __asm__ volatile("wlstp.8 lr, %[n], 2f\n"
                     "1:\tvldrb.8 q0, [%[from]], #16\n\t"
                     "vstrb.8 q0, [%[to]], #16\n\t"
                     "letp lr, 1b\n"
                     "2:"
                     : [to] "+r"(to), [from] "+r"(from)
                     : [n] "r"(bytes)
                     : "q0", "lr", "memory");
}

/* Two runs at once. */
static inline void sqz_copy_two(int8_t *to, const int8_t *from, int8_t *to_also, const int8_t *from_also, unsigned bytes) {
    __asm__ volatile("wlstp.8 lr, %[n], 2f\n"
                     "1:\tvldrb.8 q0, [%[from]], #16\n\t"
                     "vldrb.8 q1, [%[from_also]], #16\n\t"
                     "vstrb.8 q0, [%[to]], #16\n\t"
                     "vstrb.8 q1, [%[to_also]], #16\n\t"
                     "letp lr, 1b\n"
                     "2:"
                     : [to] "+r"(to), [from] "+r"(from), [to_also] "+r"(to_also), [from_also] "+r"(from_also)
                     : [n] "r"(bytes)
                     : "q0", "q1", "lr", "memory");
}

static inline void sqz_set(int8_t *to, int8_t value, unsigned bytes) {
    __asm__ volatile("vdup.8 q0, %[value]\n\t"
                     "wlstp.8 lr, %[n], 2f\n"
                     "1:\tvstrb.8 q0, [%[to]], #16\n\t"
                     "letp lr, 1b\n"
                     "2:"
                     : [to] "+r"(to)
                     : [n] "r"(bytes), [value] "r"(value)
                     : "q0", "lr", "memory");
}

#else

static inline void sqz_copy(int8_t *to, const int8_t *from, unsigned bytes) {
    memcpy(to, from, bytes);
}

static inline void sqz_copy_two(int8_t *to, const int8_t *from, int8_t *to_also, const int8_t *from_also, unsigned bytes) {
    memcpy(to, from, bytes);
    memcpy(to_also, from_also, bytes);
}

static inline void sqz_set(int8_t *to, int8_t value, unsigned bytes) {
    memset(to, value, bytes);
}

#endif
#endif
