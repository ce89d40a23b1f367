#include "sqz_sha256.h"

#include <string.h>

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotated(uint32_t x, unsigned by) {
    return x >> by | x << (32 - by);
}

static uint32_t word_of(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_word(uint8_t *at, uint32_t word) {
    for (unsigned i = 0; i < 4; ++i) {
        at[i] = (uint8_t)(word >> (24 - 8 * i));
    }
}

/* Of the 64 words of a block's schedule the last 16 are kept, where the block was. */
static void take_block(sqz_sha256 *sha) {
    uint32_t *w = sha->block, *s = sha->state;
    uint32_t a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
    for (unsigned i = 0; i < 16; ++i) {
        w[i] = word_of((const uint8_t *)&w[i]);
    }
    for (unsigned i = 0; i < 64; ++i) {
        const uint32_t next = w[i % 16];
        const uint32_t x = w[(i + 1) % 16], y = w[(i + 14) % 16];
        w[i % 16] += (rotated(x, 7) ^ rotated(x, 18) ^ x >> 3) + w[(i + 9) % 16] + (rotated(y, 17) ^ rotated(y, 19) ^ y >> 10);
        const uint32_t one = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + next;
        const uint32_t two = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + one;
        d = c, c = b, b = a, a = one + two;
    }
    s[0] += a, s[1] += b, s[2] += c, s[3] += d;
    s[4] += e, s[5] += f, s[6] += g, s[7] += h;
}

void sqz_sha256_begin(sqz_sha256 *sha) {
    static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(sha->state, first, sizeof first);
    sha->bytes = 0;
}

void sqz_sha256_add(sqz_sha256 *sha, const void *data, size_t bytes) {
    const uint8_t *at = data;
    for (; bytes != 0; --bytes) {
        ((uint8_t *)sha->block)[sha->bytes++ % SQZ_SHA256_BLOCK] = *at++;
        if (sha->bytes % SQZ_SHA256_BLOCK == 0) {
            take_block(sha);
        }
    }
}

void sqz_sha256_end(sqz_sha256 *sha, uint8_t *digest) {
    static const uint8_t one = 0x80, zero = 0;
    uint8_t bits[8] = {0};
    put_word(bits + 4, sha->bytes * 8);
    sqz_sha256_add(sha, &one, 1);
    while (sha->bytes % SQZ_SHA256_BLOCK != SQZ_SHA256_BLOCK - sizeof bits) {
        sqz_sha256_add(sha, &zero, 1);
    }
    sqz_sha256_add(sha, bits, sizeof bits);
    for (unsigned i = 0; i < 8; ++i) {
        put_word(digest + 4 * i, sha->state[i]);
    }
}
