/* CRC-32 as zlib's, without a table: for a few bytes. */
#ifndef SQZ_CRC_H
#define SQZ_CRC_H
#include <stddef.h>
#include <stdint.h>

static inline uint32_t sqz_crc(const void *data, size_t bytes) {
    const uint8_t *at = data;
    uint32_t crc = ~(uint32_t)0;
    for (size_t i = 0; i < bytes; ++i) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc >> 1 ^ (crc & 1u ? 0xEDB88320u : 0u);
        }
    }
    return ~crc;
}
#endif
