/* CONV_2D for processors with Helium where rows have an odd number of pixels: the last is computed alone, four
 * channels at a time. Needs channels that make whole groups of four. */
#include "sqz_record.h"
#include "sqz_tile_mve.h"

#define VECTOR 16u
#define GROUP 4u /* channels */

#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__) && defined(__thumb2__)
#define AT(field, offset) _Static_assert(offsetof(sqz_mve_tile, field) == (offset), "the assembly's " #field)
AT(record, 0);
AT(end, 4);
AT(first, 8);
AT(inputs, 16);
AT(rounds, 24);
AT(tail, 32);
AT(usual, 36);
AT(zero_point, 40);
AT(multipliers, 48);

/* As sqz_mve_fours, of one pixel, with tile->rounds vectors before the last. r1: weights, r3: inputs, r5: output,
 * r7: tail; sums in r0, r2, r4, r6; q4: multipliers, q5: shifts, q6: zero point, q7: least. */
static SQZ_NAKED void one_mve_fours(const sqz_mve_tile *tile __attribute__((unused))) {
    __asm__("push {r4-r11, lr}\n\tvpush {d8-d15}\n\t"
            "ldrd r1, r8, [r0]\n\tldr r5, [r0, #8]\n\tldr r10, [r0, #16]\n\tldr r11, [r0, #24]\n\t"
            "ldrd r7, r12, [r0, #32]\n\tldrd r2, r4, [r0, #40]\n\tldr r9, [r0, #48]\n\t"
            "vdup.16 q6, r2\n\tvdup.32 q7, r4\n\tmov.w r2, #0x40000000\n\tvdup.32 q4, r2\n"
            "1:\tldrd r0, r2, [r1], #8\n\tldrd r4, r6, [r1], #8\n\tmov r3, r10\n\twls lr, r11, 3f\n"
            "2:\tvldrb.8 q0, [r3], #16\n\tvldrb.8 q1, [r1], #16\n\tvmladava.s8 r0, q0, q1\n\t"
            "vldrb.8 q2, [r1], #16\n\tvmladava.s8 r2, q0, q2\n\t"
            "vldrb.8 q1, [r1], #16\n\tvmladava.s8 r4, q0, q1\n\t"
            "vldrb.8 q2, [r1], #16\n\tvmladava.s8 r6, q0, q2\n\tle lr, 2b\n"
            "3:\tvldrb.8 q0, [r3]\n\t" /* the last vector, of which only `tail` bytes are there */
            "vldrb.8 q1, [r1]\n\tadd r1, r7\n\tvmladava.s8 r0, q0, q1\n\t"
            "vldrb.8 q2, [r1]\n\tadd r1, r7\n\tvmladava.s8 r2, q0, q2\n\t"
            "vldrb.8 q1, [r1]\n\tadd r1, r7\n\tvmladava.s8 r4, q0, q1\n\t"
            "vldrb.8 q2, [r1]\n\tadd r1, r7\n\tvmladava.s8 r6, q0, q2\n\t"
            "vmov q0[2], q0[0], r0, r4\n\tvmov q0[3], q0[1], r2, r6\n\t"
            "vldrb.s32 q5, [r1], #4\n\tcmp r12, #0\n\tbeq 5f\n\t"
            "vldrw.32 q4, [r1], #16\n\tvqrdmulh.s32 q0, q0, q4\n"
            "4:\tvrshl.s32 q0, q0, q5\n\tvqmovnb.s32 q2, q0\n\tvqadd.s16 q2, q2, q6\n\tvqmovnb.s16 q3, q2\n\t"
            "vstrb.32 q3, [r5], #4\n\tcmp r1, r8\n\tbne 1b\n\tvpop {d8-d15}\n\tpop {r4-r11, pc}\n"
            /* another zero point, or no multipliers */
            "5:\tcmp r9, #0\n\tbeq 6f\n\tvldrw.32 q4, [r1], #16\n"
            "6:\tvmax.s32 q0, q0, q7\n\tvqrdmulh.s32 q0, q0, q4\n\t"
            "vshr.s32 q2, q0, #31\n\tvadd.i32 q0, q0, q2\n\tb 4b");
}

#else

static void one_mve_fours(const sqz_mve_tile *tile) {
    const sqz_requant *to = &tile->window.conv->requant;
    int8_t *out = tile->first;
    for (const int8_t *record = tile->record; record != tile->end; record += tile->four_bytes, out += GROUP) {
        const int8_t *const weights = sqz_record_weights(record, GROUP);
        for (unsigned c = 0; c < GROUP; ++c) {
            int32_t sum = sqz_record_bias(record, c);
            for (unsigned k = 0; k < tile->count; ++k) {
                const unsigned block = k / VECTOR * VECTOR, left = tile->count - block;
                sum += weights[block * GROUP + c * (left < VECTOR ? left : VECTOR) + k % VECTOR] * tile->inputs[0][k];
            }
            out[c] = sqz_record_requantize(to, record, GROUP, GROUP * tile->count, c, sum);
        }
    }
}

#endif

void sqz_conv_odd_row_mve(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    int8_t *pixel = rows->out;
    unsigned x = 0;
    sqz_mve_tile tile;
    sqz_mve_begin(&tile, conv, rows);
    for (; x + 1 < conv->out_width; x += SQZ_MVE_PIXELS, pixel += SQZ_MVE_PIXELS * conv->out_stride) {
        sqz_mve_fill(&tile, x);
        tile.record = conv->weights;
        sqz_mve_channels(&tile, conv->out_channels, pixel, pixel + conv->out_stride);
    }
    sqz_mve_fill(&tile, x);
    tile.record = conv->weights;
    tile.end = tile.record + conv->out_channels / GROUP * tile.four_bytes;
    tile.first = pixel;
    tile.rounds = (tile.count - 1) / VECTOR;
    one_mve_fours(&tile);
}
