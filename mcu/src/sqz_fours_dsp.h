/* Sums of four channels of two pixels on a processor with SMLAD, and what they become: shared by the kernels that walk
 * through all pairs of inputs (sqz_tile_dsp.c) and through some (sqz_tile_dsp_sparse.c). */
#ifndef SQZ_FOURS_DSP_H
#define SQZ_FOURS_DSP_H
#include "sqz_dsp.h"
#include "sqz_record.h"
#include "sqz_tile_dsp.h"

#define SQZ_DSP_FOUR 4u /* channels */

#if defined(SQZ_DSP)
/* The words of the tile; all but the last the assembly copies to the stack, from sp on. */
#define AT(field, word) _Static_assert(offsetof(sqz_dsp_tile, field) == 4 * (word), "the assembly's " #field)
AT(first, 0);
AT(end, 2);
AT(patch, 3);
AT(skip, 4);
AT(before, 5);
AT(patch_end, 6);
AT(after, 7);
AT(odd, 8);
AT(usual, 9);
AT(relu, 10);
AT(multipliers, 11);
AT(record, 12);

/* From behind the entry, with the tile in r0: its words to the stack. At the start of each record r9 to r11 are patch, skip and
 * before, r8 is the record. A function pushes {r4-r11, lr}, then {r0}, and {r1-r12} behind this. */
#define SQZ_LOAD_TILE "ldmia r0, {r1-r12, lr}\n\t"
#define SQZ_TILE_LOADED "mov r8, lr\n\tmov r9, r4\n\tmov r10, r5\n\tmov r11, r6\n"

/* Adds one pair of inputs. r10: weights of channels 0 and 1, r11: of 2 and 3; r12, lr: both pixels' inputs. Sums of both
 * pixels, r0, r1: of channel 0, r2, r3: of channels 0 and 1 together; r4 to r7: the same of channels 2 and 3. */
#define SQZ_SUM_PAIR                                          \
    "smlad r2, r10, r12, r2\n\tsmlad r3, r10, lr, r3\n\t"     \
    "smlad r6, r11, r12, r6\n\tsmlad r7, r11, lr, r7\n\t"     \
    "sxtb16 r10, r10\n\tsxtb16 r11, r11\n\t"                  \
    "smlad r0, r10, r12, r0\n\tsmlad r1, r10, lr, r1\n\t"     \
    "smlad r4, r11, r12, r4\n\tsmlad r5, r11, lr, r5\n\t"

/* Twice the sums of a channel, x and y, to int8. SMMLAR multiplies and adds the zero point and what rounds; the last bit
 * is shifted out while saturating. r9: tile->odd; low byte of r10: the shift to the right, less one, as the record has it. */
#define SCALE(x, y, multiplier)                                                           \
    "lsl lr, r9, r10\n\t"                                                                 \
    "smmlar " x ", " x ", " multiplier ", lr\n\tsmmlar " y ", " y ", " multiplier ", lr\n\t" \
    SATURATE(x, y)
#define SATURATE(x, y)                                                \
    "asr " x ", " x ", r10\n\tasr " y ", " y ", r10\n\t"              \
    "ssat " x ", #8, " x ", asr #1\n\tssat " y ", #8, " y ", asr #1\n\t"

/* The same where halves matter: they are rounded away from zero, so 1 is taken from what is negative. r11: multiplier. */
#define SCALE_AWAY(x, y)                                                   \
    "lsl lr, r9, r10\n\t"                                                  \
    "smmlar r12, " x ", r11, lr\n\tadd " x ", r12, " x ", asr #31\n\t"     \
    "smmlar r12, " y ", r11, lr\n\tadd " y ", r12, " y ", asr #31\n\t"     \
    SATURATE(x, y)
#define NEXT_MULTIPLIER "it ne\n\tldrne r11, [r8], #4\n\t" /* if there are some; nothing changes the flags */
#define NEXT_SHIFT "lsr r10, r10, #8\n\t"

/* A channel's bytes to the first's words. */
#define JOIN(x, y, at) "bfi r0, " x ", #" at ", #8\n\tbfi r1, " y ", #" at ", #8\n\t"

/* From the sums to int8, then to label 1 until the register `at` holds tile->end; r8: behind a record's weights. Where the
 * zero point is -128 all that is negative saturates, however it is rounded. */
#define SQZ_PUT_FOURS(at) \
    "ldrd r9, r12, [sp, #32]\n\t" \
    "sub r2, r2, r0\n\tsub r3, r3, r1\n\tsub r6, r6, r4\n\tsub r7, r7, r5\n\t" \
    "lsl r0, r0, #1\n\tlsl r1, r1, #1\n\tasr r2, r2, #7\n\tasr r3, r3, #7\n\t" \
    "lsl r4, r4, #1\n\tlsl r5, r5, #1\n\tasr r6, r6, #7\n\tasr r7, r7, #7\n\t" \
    "cmp r12, #0\n\tbeq.w 4f\n\t" \
    "ldmia r8!, {r10-r12}\n\t" \
    SCALE("r0", "r1", "r11") NEXT_SHIFT \
    SCALE("r2", "r3", "r12") NEXT_SHIFT JOIN("r2", "r3", "8") \
    "ldmia r8!, {r11, r12}\n\t" \
    SCALE("r4", "r5", "r11") NEXT_SHIFT JOIN("r4", "r5", "16") \
    SCALE("r6", "r7", "r12") JOIN("r6", "r7", "24") "\n" \
    "3:\tldmia sp, {r2-r4, r9-r11}\n\tstr r0, [r2], #4\n\tstr r1, [r3], #4\n\tstrd r2, r3, [sp]\n\t" \
    "cmp " at ", r4\n\tbne.w 1b\n\t" \
    "add sp, #48\n\tpop {r0}\n\tstrd r2, r3, [r0]\n\tstr r8, [r0, #48]\n\tpop {r4-r11, pc}\n" \
    /* another zero point, or no multipliers */ \
    "4:\tldr r10, [r8], #4\n\tldrd r11, r12, [sp, #40]\n\tcmp r11, #0\n\tbeq 5f\n\t" \
    "bic r0, r0, r0, asr #31\n\tbic r1, r1, r1, asr #31\n\tbic r2, r2, r2, asr #31\n\t" \
    "bic r3, r3, r3, asr #31\n\tbic r4, r4, r4, asr #31\n\tbic r5, r5, r5, asr #31\n\t" \
    "bic r6, r6, r6, asr #31\n\tbic r7, r7, r7, asr #31\n" \
    "5:\tcmp r12, #0\n\tmov.w r11, #0x40000000\n\t" \
    NEXT_MULTIPLIER SCALE_AWAY("r0", "r1") NEXT_SHIFT \
    NEXT_MULTIPLIER SCALE_AWAY("r2", "r3") NEXT_SHIFT JOIN("r2", "r3", "8") \
    NEXT_MULTIPLIER SCALE_AWAY("r4", "r5") NEXT_SHIFT JOIN("r4", "r5", "16") \
    NEXT_MULTIPLIER SCALE_AWAY("r6", "r7") JOIN("r6", "r7", "24") \
    "b.w 3b"

#else

/* Adds one pair of inputs: channel 0 of both pixels, channels 0 and 1 together, then the same of channels 2 and 3. */
static inline void sqz_sum_pair(int32_t *sum, const int8_t *weights, const uint32_t *patch) {
    for (unsigned i = 0; i < SQZ_DSP_FOUR; i += 2, weights += 4, sum += 4) {
        const uint32_t both = sqz_load4(weights), first = sqz_even_bytes(both);
        for (unsigned pixel = 0; pixel < SQZ_DSP_PIXELS; ++pixel) {
            sum[pixel] = sqz_smlad(first, patch[pixel], sum[pixel]);
            sum[2 + pixel] = sqz_smlad(both, patch[pixel], sum[2 + pixel]);
        }
    }
}

/* Of 256 * second + first, modulo 2^32, the second. */
static inline int32_t sqz_apart(int32_t both, int32_t first) {
    return (int32_t)((uint32_t)both - (uint32_t)first) >> 8;
}

/* The biases of a record as sums. */
static inline void sqz_start_four(const int8_t *record, int32_t *sum) {
    for (unsigned c = 0; c < SQZ_DSP_FOUR; ++c, sum += 2) {
        sum[0] = sum[1] = sqz_record_bias(record, c);
    }
}

/* To the next outputs; `bytes` of weights lie in the record. */
static inline void sqz_put_four(sqz_dsp_tile *tile, const int32_t *sum, size_t bytes) {
    const sqz_requant *to = &tile->window.conv->requant;
    for (unsigned c = 0; c < SQZ_DSP_FOUR; ++c) {
        const int32_t *s = sum + c / 2 * 4;
        const int32_t first = c % 2 ? sqz_apart(s[2], s[0]) : s[0], second = c % 2 ? sqz_apart(s[3], s[1]) : s[1];
        *tile->first++ = sqz_four_requantize(to, tile->record, bytes, c, first);
        *tile->second++ = sqz_four_requantize(to, tile->record, bytes, c, second);
    }
}

#endif
#endif
