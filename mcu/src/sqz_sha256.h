/* SHA-256 (FIPS 180-4), for updates. */
#ifndef SQZ_SHA256_H
#define SQZ_SHA256_H
#include <stddef.h>
#include <stdint.h>

#include "sqz_names.h"

#define SQZ_SHA256_BYTES 32u
#define SQZ_SHA256_BLOCK 64u

typedef struct sqz_sha256 {
    uint32_t state[8];
    uint32_t bytes; /* so far: less than 2^29 */
    uint32_t block[SQZ_SHA256_BLOCK / 4]; /* as bytes, until it is whole */
} sqz_sha256;

void sqz_sha256_begin(sqz_sha256 *sha);
void sqz_sha256_add(sqz_sha256 *sha, const void *data, size_t bytes);
void sqz_sha256_end(sqz_sha256 *sha, uint8_t *digest);
#endif
