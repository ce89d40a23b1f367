/* Four bytes as a word, whatever the byte order of the machine; they need no alignment. The lowest byte is the first if not
 * said otherwise. */
#ifndef SQZ_LOAD_H
#define SQZ_LOAD_H
#include <stdint.h>

static inline uint32_t sqz_load4(const int8_t *from) {
    const uint8_t *byte = (const uint8_t *)from;
    return byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 | (uint32_t)byte[3] << 24;
}

static inline void sqz_store4(int8_t *to, uint32_t word) {
    uint8_t *byte = (uint8_t *)to;
    byte[0] = (uint8_t)word;
    byte[1] = (uint8_t)(word >> 8);
    byte[2] = (uint8_t)(word >> 16);
    byte[3] = (uint8_t)(word >> 24);
}

static inline uint32_t sqz_load4_first_highest(const uint8_t *byte) {
    return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
}
#endif
