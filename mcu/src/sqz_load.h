/* Four bytes as a word, lowest byte first whatever the byte order of the machine; they need no alignment. */
#ifndef SQZ_LOAD_H
#define SQZ_LOAD_H
#include <stdint.h>

static inline uint32_t sqz_load4(const int8_t *from) {
    const uint8_t *byte = (const uint8_t *)from;
    return byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 | (uint32_t)byte[3] << 24;
}
#endif
