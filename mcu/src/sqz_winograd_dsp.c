#include "sqz_winograd_dsp.h"
#include "sqz_dsp.h"
#include "sqz_requantize.h"

/* Along a row of inputs: six to six, stored 2 words apart. */
static inline void along_inputs(uint32_t *to, const uint32_t *d) {
    const uint32_t d1_4 = sqz_times4(d[1]), d2_4 = sqz_times4(d[2]);
    const uint32_t p = sqz_sub2(d[4], d2_4), q = sqz_sub2(d[3], d1_4);
    const uint32_t r = sqz_sub2(d[4], d[2]), s = sqz_sub2(d[3], d[1]), s_2 = sqz_add2(s, s);
    to[0] = sqz_add2(sqz_sub2(p, d[2]), sqz_times4(d[0]));
    to[2] = sqz_add2(p, q);
    to[4] = sqz_sub2(p, q);
    to[6] = sqz_add2(r, s_2);
    to[8] = sqz_sub2(r, s_2);
    to[10] = sqz_sub2(sqz_sub2(d[5], q), sqz_times4(d[3]));
}

static inline void down_inputs(uint32_t *column) {
    uint32_t *const d = column;
    const uint32_t d0 = d[0], d1 = d[SQZ_IN_COLUMNS], d2 = d[2 * SQZ_IN_COLUMNS], d3 = d[3 * SQZ_IN_COLUMNS];
    d[0] = sqz_sub2(d0, d2);
    d[SQZ_IN_COLUMNS] = sqz_add2(d1, d2);
    d[2 * SQZ_IN_COLUMNS] = sqz_sub2(d2, d1);
    d[3 * SQZ_IN_COLUMNS] = sqz_sub2(d1, d3);
}

void sqz_winograd_inputs(uint32_t *to, const int8_t *from, unsigned pixel, unsigned shift) {
    uint32_t d[SQZ_PRODUCTS];
    for (unsigned i = 0; i < SQZ_PRODUCTS; ++i, from += pixel) {
        d[i] = sqz_even_bytes(sqz_load4(from) >> shift);
    }
    for (unsigned x = 0; x < SQZ_IN_COLUMNS; ++x) {
        down_inputs(d + x);
    }
    for (unsigned i = 0; i < SQZ_PRODUCTS; i += SQZ_IN_COLUMNS) {
        along_inputs(to + 2 * i, d + i);
    }
}

#if defined(SQZ_DSP)

/* Three to six weights along a row, each 16 bytes behind the one before, from r0 + `at` on. TWICE spoils `b`. */
#define WEIGHTS(a, b, c, at, twice)                                                                      \
    "str " a ", [r0, #" #at "]\n\tstr " c ", [r0, #" #at " + 80]\n\t"                                    \
    "sadd16 r12, " a ", " c "\n\tsadd16 lr, r12, " b "\n\tstr lr, [r0, #" #at " + 16]\n\t"               \
    "ssub16 lr, r12, " b "\n\tstr lr, [r0, #" #at " + 32]\n\t"                                           \
    "sadd16 lr, " c ", " c "\n\tsadd16 lr, lr, lr\n\tsadd16 r12, " a ", lr\n\t" twice
#define TWICE_KEPT(b, at)                                                                                \
    "ssub16 lr, r12, " b "\n\tssub16 lr, lr, " b "\n\tsadd16 r12, r12, " b "\n\tsadd16 r12, r12, " b "\n\t" \
    "str r12, [r0, #" #at " + 48]\n\tstr lr, [r0, #" #at " + 64]\n\t"
#define TWICE(b, at)                                                                                     \
    "sadd16 " b ", " b ", " b "\n\tsadd16 lr, r12, " b "\n\tssub16 r12, r12, " b "\n\t"                  \
    "str lr, [r0, #" #at " + 48]\n\tstr r12, [r0, #" #at " + 64]\n\t"

/* r3 to r11: the nine weights of a pair; in the end r9 to r11: a row of them. */
SQZ_NAKED void sqz_winograd_weights(uint32_t *to __attribute__((unused)),
                                                           const int8_t *from __attribute__((unused)),
                                                           unsigned pairs __attribute__((unused))) {
    __asm__("push {r4-r11, lr}\n\tadd r2, r2, r2, lsl #3\n\tadd r2, r1, r2, lsl #1\n"
            "1:\tldr r4, [r1]\n\tldr r6, [r1, #4]\n\tldr r8, [r1, #8]\n\tldr r10, [r1, #12]\n\tldrh r11, [r1, #16]\n\t"
            "sxtb16 r3, r4\n\tsxtb16 r4, r4, ror #8\n\tsxtb16 r5, r6\n\tsxtb16 r6, r6, ror #8\n\t"
            "sxtb16 r7, r8\n\tsxtb16 r8, r8, ror #8\n\tsxtb16 r9, r10\n\tsxtb16 r10, r10, ror #8\n\t"
            "orr r11, r11, r11, lsl #8\n\tsxtb16 r11, r11\n\tadd r1, r1, #18\n\t"
            WEIGHTS("r3", "r4", "r5", 0, TWICE_KEPT("r4", 0))
            WEIGHTS("r9", "r10", "r11", 288, TWICE_KEPT("r10", 288))
            "sadd16 r3, r3, r9\n\tsadd16 r4, r4, r10\n\tsadd16 r5, r5, r11\n\t"
            "sadd16 r9, r3, r6\n\tsadd16 r10, r4, r7\n\tsadd16 r11, r5, r8\n\t"
            WEIGHTS("r9", "r10", "r11", 96, TWICE("r10", 96))
            "ssub16 r3, r3, r6\n\tssub16 r4, r4, r7\n\tssub16 r5, r5, r8\n\t"
            WEIGHTS("r3", "r4", "r5", 192, TWICE("r4", 192))
            "add r0, r0, #384\n\tcmp r1, r2\n\tbne 1b\n\tpop {r4-r11, pc}");
}

/* One pair of channels. r8: weights, r9: inputs; the sums of output i and both tiles are r(2 i), r(2 i + 1). */
#define STEP                                                                    \
    "ldrd r10, r11, [r8], #8\n\tldrd r12, lr, [r9], #192\n\t"                   \
    "smlad r0, r10, r12, r0\n\tsmlad r1, r10, lr, r1\n\t"                       \
    "smlad r2, r11, r12, r2\n\tsmlad r3, r11, lr, r3\n\t"                       \
    "ldrd r10, r11, [r8], #376\n\t"                                             \
    "smlad r4, r10, r12, r4\n\tsmlad r5, r10, lr, r5\n\t"                       \
    "smlad r6, r11, r12, r6\n\tsmlad r7, r11, lr, r7\n\t"

/* Four steps of 44 bytes of code make a round. On the stack: code skipped in the first one, end of a product's inputs, what takes r8 and r9 on to the next product,
 * where sums go, their end. */
SQZ_NAKED void sqz_winograd_sums(const uint32_t *weights __attribute__((unused)),
                                                        const uint32_t *inputs __attribute__((unused)),
                                                        uint32_t *sums __attribute__((unused)),
                                                        unsigned pairs __attribute__((unused))) {
    __asm__("push {r4-r11, lr}\n\tsub sp, #28\n\tmov r8, r0\n\tmov r9, r1\n\t"
            "rsb r4, r3, #0\n\tand r4, r4, #3\n\tmov r5, #44\n\tmul r4, r4, r5\n\t"
            "mov r5, #192\n\tmul r6, r3, r5\n\tadd r5, r6, r1\n\tstrd r4, r5, [sp]\n\t"
            "lsl r4, r6, #1\n\tsub r4, r4, #16\n\tsub r5, r6, #8\n\tstrd r4, r5, [sp, #8]\n\t"
            "add r3, r2, #768\n\tstrd r2, r3, [sp, #16]\n"
            "1:\tldr r10, [sp]\n\tmov r0, #0\n\tmov r1, #0\n\tmov r2, #0\n\tmov r3, #0\n\t"
            "mov r4, #0\n\tmov r5, #0\n\tmov r6, #0\n\tmov r7, #0\n\tadd pc, r10\n\tnop\n"
            "2:\t" STEP STEP STEP STEP
            "ldr r10, [sp, #4]\n\tcmp r9, r10\n\tbne.w 2b\n\t"
            "ldrd r11, r12, [sp, #16]\n\tstmia r11!, {r0-r7}\n\tstr r11, [sp, #16]\n\t"
            "ldrd r0, r1, [sp, #8]\n\tsub r8, r8, r0\n\tsub r9, r9, r1\n\t"
            "add r10, r10, #8\n\tstr r10, [sp, #4]\n\tcmp r11, r12\n\tbne.w 1b\n\t"
            "add sp, #28\n\tpop {r4-r11, pc}");
}

/* A column's products down, of row 0 and of row 1, of the sums at r0; to `v`. */
#define DOWN_0(v, x) LOAD("r7", x, 0) LOAD("r8", x, 1) LOAD("r9", x, 2) "add r8, r8, r9\n\tadd " v ", r8, r7, lsl #1\n\t"
#define DOWN_1(v, x) LOAD("r7", x, 1) LOAD("r8", x, 2) LOAD("r9", x, 3) "sub r7, r7, r8\n\tsub " v ", r7, r9, lsl #1\n\t"
#define LOAD(r, x, y) "ldr " r ", [r0, #32 * (6 * " #y " + " #x ")]\n\t"

/* r1 to r6: along a row; then its four sums twice, with their bias, in r1 to r4. r5: bias, r6: multiplier, r7: rounding,
 * r8: shift, r10: where to, r11: stride. */
#define ALONG                                                                                         \
    "add r7, r2, r3\n\tsub r8, r2, r3\n\tadd r9, r4, r5\n\tsub r10, r4, r5\n\t"                         \
    "add r1, r1, r1, lsl #1\n\tsub r11, r9, r7, lsl #2\n\tadd r1, r11, r1, lsl #1\n\t"                  \
    "sub r2, r10, r8, lsl #1\n\tsub r3, r9, r7\n\t"                                                    \
    "add r6, r6, r6, lsl #1\n\trsb r4, r8, r10, lsl #1\n\tadd r4, r4, r6, lsl #1\n\t"                   \
    "ldrd r12, lr, [sp]\n\tldmia r12, {r5-r8}\n\tldrd r9, r11, [sp, #8]\n\tldr r10, [sp, #16]\n\t"       \
    "asr r1, r1, #3\n\tmla r1, r1, r9, r5\n\tasr r2, r2, #2\n\tmla r2, r2, r9, r5\n\t"                  \
    "asr r3, r3, #1\n\tmla r3, r3, r9, r5\n\tasr r4, r4, #1\n\tmla r4, r4, r9, r5\n\tcmp lr, #0\n\t"
#define SCALE(x) "smmlar " x ", " x ", r6, r7\n\t"
#define SCALE_AWAY(x) "smmlar r12, " x ", r6, r7\n\tadd " x ", r12, " x ", asr #31\n\t"
#define SATURATE(x) "asr " x ", " x ", r8\n\tssat " x ", #8, " x ", asr #1\n\t"
#define STORE                                                                                         \
    SATURATE("r1") SATURATE("r2") SATURATE("r3") SATURATE("r4") "add r12, r11, r11, lsl #1\n\t"         \
    "strb r1, [r10]\n\tstrb r2, [r10, r11]\n\tstrb r3, [r10, r11, lsl #1]\n\tstrb r4, [r10, r12]\n\t"  \
    "ldr r11, [sp, #20]\n\tadd r12, r10, #1\n\tstrd r11, r12, [sp, #16]\n\t"

/* The words of the tile are copied to the stack, then the end of the sums, and whether row 1 is at work. The row to be
 * written changes place with the other. */
SQZ_NAKED void sqz_winograd_outputs(const uint32_t *sums __attribute__((unused)),
                                                           const sqz_winograd_tile *tile __attribute__((unused))) {
    __asm__("push {r4-r11, lr}\n\tldmia r1, {r1-r7}\n\tadd r8, r0, #32\n\tmov r9, #0\n\tpush {r1-r9}\n"
            "1:\t" DOWN_0("r1", 0) DOWN_0("r2", 1) DOWN_0("r3", 2) DOWN_0("r4", 3) DOWN_0("r5", 4) DOWN_0("r6", 5)
            "\n2:\t" ALONG "beq 5f\n\t" SCALE("r1") SCALE("r2") SCALE("r3") SCALE("r4") "\n3:\t" STORE
            "ldr r1, [sp, #32]\n\teors r1, r1, #1\n\tstr r1, [sp, #32]\n\tbeq 4f\n\t"
            DOWN_1("r1", 0) DOWN_1("r2", 1) DOWN_1("r3", 2) DOWN_1("r4", 3) DOWN_1("r5", 4) DOWN_1("r6", 5) "b 2b\n"
            "4:\tldr r1, [sp]\n\tadd r1, r1, #16\n\tstr r1, [sp]\n\tldr r2, [sp, #28]\n\t"
            "add r0, r0, #8\n\tcmp r0, r2\n\tbne.w 1b\n\tadd sp, #36\n\tpop {r4-r11, pc}\n"
            "5:\tldr lr, [sp, #24]\n\tcmp lr, #0\n\titttt ne\n\tbicne r1, r1, r1, asr #31\n\t"
            "bicne r2, r2, r2, asr #31\n\tbicne r3, r3, r3, asr #31\n\tbicne r4, r4, r4, asr #31\n\t"
            SCALE_AWAY("r1") SCALE_AWAY("r2") SCALE_AWAY("r3") SCALE_AWAY("r4") "b 3b");
}

#else

/* Along a row of weights: three to six, stored 4 words apart. */
static void along_weights(uint32_t *to, uint32_t a, uint32_t b, uint32_t c) {
    const uint32_t e = sqz_add2(a, c), f = sqz_add2(a, sqz_times4(c)), b_2 = sqz_add2(b, b);
    to[0] = a;
    to[4] = sqz_add2(e, b);
    to[8] = sqz_sub2(e, b);
    to[12] = sqz_add2(f, b_2);
    to[16] = sqz_sub2(f, b_2);
    to[20] = c;
}

void sqz_winograd_weights(uint32_t *to, const int8_t *from, unsigned pairs) {
    for (; pairs; --pairs, from += 18, to += 4 * SQZ_PRODUCTS) {
        uint32_t g[9], e[3];
        for (unsigned i = 0; i < 9; ++i) {
            const int8_t *at = from + (i < 8 ? i / 2 * 4 + i % 2 : 16);
            g[i] = (uint16_t)at[0] | (uint32_t)at[i < 8 ? 2 : 1] << 16;
        }
        for (unsigned x = 0; x < 3; ++x) {
            e[x] = sqz_add2(g[x], g[6 + x]);
        }
        along_weights(to, g[0], g[1], g[2]);
        along_weights(to + 24, sqz_add2(e[0], g[3]), sqz_add2(e[1], g[4]), sqz_add2(e[2], g[5]));
        along_weights(to + 48, sqz_sub2(e[0], g[3]), sqz_sub2(e[1], g[4]), sqz_sub2(e[2], g[5]));
        along_weights(to + 72, g[6], g[7], g[8]);
    }
}

void sqz_winograd_sums(const uint32_t *weights, const uint32_t *inputs, uint32_t *sums, unsigned pairs) {
    for (unsigned k = 0; k < SQZ_PRODUCTS; ++k) {
        for (unsigned i = 0; i < 8; ++i) {
            int32_t sum = 0;
            for (unsigned pair = 0; pair < pairs; ++pair) {
                const unsigned at = pair * SQZ_PRODUCTS + k;
                sum = sqz_smlad(weights[4 * at + i / 2], inputs[2 * at + i % 2], sum);
            }
            *sums++ = (uint32_t)sum;
        }
    }
}

/* A row of an output's tile, whose products down are added: its four sums, 24, 12, 6 and 6 times. */
static void along(const uint32_t *m, uint32_t *y) {
    const uint32_t a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
    y[0] = 6 * m[0] - 4 * a + c;
    y[1] = d - 2 * b;
    y[2] = c - a;
    y[3] = 2 * d - b + 6 * m[5];
}

static int8_t scaled(const sqz_winograd_tile *tile, const sqz_winograd_scale *to, int32_t twice) {
    const int32_t x = tile->relu && twice < 0 ? 0 : twice;
    const int32_t rounded = (int32_t)(((int64_t)x * to->multiplier + (1u << 31)) >> 32) + to->rounding;
    return sqz_clamp((tile->usual ? rounded : rounded + (x >> 31)) >> to->shift >> 1, -128, 127);
}

static void put(const sqz_winograd_tile *tile, uint32_t sums[SQZ_TILE_ROWS][SQZ_IN_COLUMNS], unsigned channel) {
    static const uint8_t shift[SQZ_TILE_COLUMNS] = {3, 2, 1, 1};
    const sqz_winograd_scale *to = tile->scale + channel;
    for (unsigned y = 0; y < SQZ_TILE_ROWS; ++y) {
        uint32_t out[SQZ_TILE_COLUMNS];
        along(sums[y], out);
        for (unsigned x = 0; x < SQZ_TILE_COLUMNS; ++x) {
            const uint32_t twice = (uint32_t)((int32_t)out[x] >> shift[x]) * tile->third + (uint32_t)to->bias;
            tile->rows[y][x * tile->stride + channel] = scaled(tile, to, (int32_t)twice);
        }
    }
}

void sqz_winograd_outputs(const uint32_t *sums, const sqz_winograd_tile *tile) {
    const unsigned next = 8 * SQZ_IN_COLUMNS;
    for (unsigned channel = 0; channel < 4; ++channel, sums += 2) {
        uint32_t down[SQZ_TILE_ROWS][SQZ_IN_COLUMNS];
        for (unsigned x = 0; x < SQZ_IN_COLUMNS; ++x) {
            const uint32_t *s = sums + 8 * x;
            down[0][x] = 2 * s[0] + s[next] + s[2 * next];
            down[1][x] = s[next] - s[2 * next] - 2 * s[3 * next];
        }
        put(tile, down, channel);
    }
}

#endif
