#include "sqz_sums_dsp.h"
#include "sqz_dsp.h"

unsigned sqz_dsp_widen(uint32_t *to, const int8_t *from, unsigned count) {
    const uint32_t *const start = to;
    for (; count >= 4; count -= 4, from += 4) {
        const uint32_t word = sqz_load4(from);
        *to++ = sqz_even_bytes(word);
        *to++ = sqz_odd_bytes(word);
    }
    if (count) {
        int8_t last[4] = {0};
        for (unsigned i = 0; i < count; ++i) {
            last[i] = from[i];
        }
        *to++ = sqz_even_bytes(sqz_load4(last));
        *to++ = sqz_odd_bytes(sqz_load4(last));
    }
    return (unsigned)(to - start);
}

#if defined(SQZ_DSP)

/* Two pairs of inputs, r3 and lr. r4, r6: sums of channels 0 and 2; r5, r7: of 0 and 1, of 2 and 3 together. */
#define STEP                                                                            \
    "ldmia r0!, {r8-r11}\n\tldrd r3, lr, [r1], #8\n\t"                                  \
    PAIR("r8", "r9", "r3") PAIR("r10", "r11", "lr")
#define PAIR(first, second, inputs)                                                     \
    "smlad r5, " first ", " inputs ", r5\n\tsmlad r7, " second ", " inputs ", r7\n\t"   \
    "sxtb16 " first ", " first "\n\tsxtb16 " second ", " second "\n\t"                  \
    "smlad r4, " first ", " inputs ", r4\n\tsmlad r6, " second ", " inputs ", r6\n\t"

/* r12: rounds of four steps, of 56 bytes of code each, the first of which is entered in the middle. r2: an odd pair. */
SQZ_NAKED void sqz_dsp_four_sums(const int8_t *weights __attribute__((unused)),
                                                        const uint32_t *inputs __attribute__((unused)),
                                                        unsigned pairs __attribute__((unused)),
                                                        int32_t *sums __attribute__((unused))) {
    __asm__("push {r3-r11, lr}\n\tmov r4, #0\n\tmov r5, #0\n\tmov r6, #0\n\tmov r7, #0\n\t"
            "lsr r12, r2, #1\n\tand r2, r2, #1\n\tcmp r12, #0\n\tbeq 3f\n\t"
            "rsb r3, r12, #0\n\tand r3, r3, #3\n\tmov lr, #56\n\tmul r3, r3, lr\n\t"
            "add r12, r12, #3\n\tlsr r12, r12, #2\n\tadd pc, r3\n\tnop\n"
            "2:\t" STEP STEP STEP STEP
            "subs r12, r12, #1\n\tbne 2b\n"
            "3:\tcmp r2, #0\n\tbeq 4f\n\tldrd r8, r9, [r0]\n\tldr r3, [r1]\n\t" PAIR("r8", "r9", "r3")
            "4:\tpop {r3}\n\tsub r5, r5, r4\n\tasr r5, r5, #8\n\tsub r7, r7, r6\n\tasr r7, r7, #8\n\t"
            "stmia r3, {r4-r7}\n\tpop {r4-r11, pc}");
}

#else

void sqz_dsp_four_sums(const int8_t *weights, const uint32_t *inputs, unsigned pairs, int32_t *sums) {
    for (unsigned c = 0; c < 4; c += 2, weights += 4, sums += 2) {
        int32_t first = 0, both = 0;
        for (unsigned k = 0; k < pairs; ++k) {
            const uint32_t word = sqz_load4(weights + 8 * k);
            first = sqz_smlad(sqz_even_bytes(word), inputs[k], first);
            both = sqz_smlad(word, inputs[k], both);
        }
        sums[0] = first;
        sums[1] = (int32_t)((uint32_t)both - (uint32_t)first) >> 8;
    }
}

#endif

int32_t sqz_dsp_one_sum(const int8_t *weights, const uint32_t *inputs, unsigned count) {
    int32_t sum = 0;
    for (; count >= 4; count -= 4, weights += 4, inputs += 2) {
        const uint32_t word = sqz_load4(weights);
        sum = sqz_smlad(sqz_even_bytes(word), inputs[0], sum);
        sum = sqz_smlad(sqz_odd_bytes(word), inputs[1], sum);
    }
    uint32_t last[2];
    if (count) {
        (void)sqz_dsp_widen(last, weights, count);
        sum = sqz_smlad(last[0], inputs[0], sum);
        sum = sqz_smlad(last[1], inputs[1], sum);
    }
    return sum;
}
