#include "sqz_add_pixels.h"

#include "sqz_dsp.h"

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

/* Four channels, or the last ones. */
void sqz_add_pixels(const int8_t *in, unsigned pixels, unsigned channels, unsigned count, int32_t *sums) {
    for (int left = (int)count; left > 0; left -= 4, in += 4, sums += 4) {
        const mve_pred16_t valid = vctp32q((uint32_t)left);
        const int8_t *from = in;
        int32x4_t sum = vldrwq_z_s32(sums, valid);
        for (unsigned x = pixels; x; --x, from += channels) {
            sum = vaddq_s32(sum, vldrbq_z_s32(from, valid));
        }
        vstrwq_p_s32(sums, sum, valid);
    }
}

#else

#if defined(SQZ_DSP)

#define MOST 255u /* pixels whose sum fits int16 */

static inline void add_halves(int32_t *low, int32_t *high, uint32_t pair) {
    *low += (int16_t)pair;
    *high += (int32_t)pair >> 16;
}

/* Two channels' sums in a word, a halfword each. */
static void add_some(const int8_t *in, unsigned pixels, unsigned channels, int32_t *sums) {
    uint32_t even = 0, odd = 0;
    for (; pixels; --pixels, in += channels) {
        const uint32_t word = sqz_load4(in);
        __asm__("sxtab16 %0, %0, %1" : "+r"(even) : "r"(word));
        __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(odd) : "r"(word));
    }
    add_halves(sums, sums + 2, even);
    add_halves(sums + 1, sums + 3, odd);
}

static void add_four(const int8_t *in, unsigned pixels, unsigned channels, int32_t *sums) {
    for (; pixels > MOST; pixels -= MOST, in += (size_t)MOST * channels) {
        add_some(in, MOST, channels, sums);
    }
    add_some(in, pixels, channels, sums);
}

#else

static void add_four(const int8_t *in, unsigned pixels, unsigned channels, int32_t *sums) {
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (; pixels; --pixels, in += channels) {
        a += in[0];
        b += in[1];
        c += in[2];
        d += in[3];
    }
    sums[0] += a;
    sums[1] += b;
    sums[2] += c;
    sums[3] += d;
}

#endif

static void add_one(const int8_t *in, unsigned pixels, unsigned channels, int32_t *sum) {
    for (; pixels; --pixels, in += channels) {
        *sum += *in;
    }
}

void sqz_add_pixels(const int8_t *in, unsigned pixels, unsigned channels, unsigned count, int32_t *sums) {
    for (; count >= 4; count -= 4, in += 4, sums += 4) {
        add_four(in, pixels, channels, sums);
    }
    for (; count; --count) {
        add_one(in++, pixels, channels, sums++);
    }
}

#endif
