/* CONV_2D of 1 x 1 for processors with Helium where a pixel has at most sixteen channels: the weights of four outputs stay in
 * registers for all pixels of a row, whose inputs are read where they lie.
 *
 * The weights are records as sqz_tile_mve.h says, of whole groups of four channels, with multipliers.
 *
 * Needs shifts from -22 to -1, a zero point of -128, no clamp but int8's or RELU's, and windows inside the image's width. */
#include "sqz_record.h"

#include <string.h>

#define VECTOR 16u
#define GROUP 4u /* channels */

/* Pairs of pixels. The assembly knows the order; it changes `out` and `record`. */
typedef struct narrow {
    const int8_t *in;
    uint32_t in_step; /* bytes from one pixel to the next */
    int8_t *out;
    uint32_t out_step, pairs;
    uint32_t inputs;
    const int8_t *record, *end;
} narrow;

#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__) && defined(__thumb2__)
#define AT(field, offset) _Static_assert(offsetof(narrow, field) == (offset), "the assembly's " #field)
AT(out, 8);
AT(pairs, 16);
AT(inputs, 20);
AT(record, 24);

/* On the stack: four biases twice, `at`. r1: inputs, r3: their step, r5: outputs, r7: their step, r9: pairs, r11: 128;
 * q0 to q3: weights, q4: multipliers, q5: shifts. What is negative saturates, however it is rounded. */
static SQZ_NAKED void narrow_mve_fours(narrow *at __attribute__((unused))) {
    __asm__("push {r4-r11, lr}\n\tvpush {d8-d15}\n\tmov r9, r0\n\tpush {r1-r9}\n\t"
            "ldr r1, [r0, #20]\n\tvctp.8 r1\n\tmov r11, #128\n"
            "1:\tldrd r1, r2, [r0, #20]\n\tldmia r2!, {r4, r6, r8, r10}\n\t"
            "stmia sp, {r4, r6, r8, r10}\n\tstrd r4, r6, [sp, #16]\n\tstrd r8, r10, [sp, #24]\n\t"
            "vldrb.8 q0, [r2]\n\tadd r2, r1\n\tvldrb.8 q1, [r2]\n\tadd r2, r1\n\t"
            "vldrb.8 q2, [r2]\n\tadd r2, r1\n\tvldrb.8 q3, [r2]\n\tadd r2, r1\n\t"
            "vldrb.s32 q5, [r2], #4\n\tvldrw.32 q4, [r2], #16\n\tstr r2, [r0, #24]\n\t"
            "ldmia r0, {r1, r3, r5, r7, r9}\n\tadd r2, r5, #4\n\tstr r2, [r0, #8]\n"
            "2:\tldmia sp, {r0, r2, r4, r6, r8, r10, r12, lr}\n\t"
            "vpst\n\tvldrbt.8 q6, [r1]\n\tadd r1, r3\n\tvpst\n\tvldrbt.8 q7, [r1]\n\tadd r1, r3\n\t"
            "vmladava.s8 r0, q6, q0\n\tvmladava.s8 r2, q6, q1\n\tvmladava.s8 r4, q6, q2\n\tvmladava.s8 r6, q6, q3\n\t"
            "vmladava.s8 r8, q7, q0\n\tvmladava.s8 r10, q7, q1\n\tvmladava.s8 r12, q7, q2\n\tvmladava.s8 lr, q7, q3\n\t"
            "vmov q6[2], q6[0], r0, r4\n\tvmov q6[3], q6[1], r2, r6\n\t"
            "vmov q7[2], q7[0], r8, r12\n\tvmov q7[3], q7[1], r10, lr\n\t"
            "vqrdmulh.s32 q6, q6, q4\n\tvqrdmulh.s32 q7, q7, q4\n\tvrshl.s32 q6, q6, q5\n\tvrshl.s32 q7, q7, q5\n\t"
            "vqmovnb.s32 q6, q6\n\tvqmovnt.s32 q6, q7\n\tvqmovunb.s16 q6, q6\n\tvadd.i8 q6, q6, r11\n\t"
            "vstrb.32 q6, [r5]\n\tadd r5, r7\n\tvshr.u32 q6, q6, #16\n\tvstrb.32 q6, [r5]\n\tadd r5, r7\n\t"
            "subs r9, #1\n\tbne 2b\n\t"
            "ldr r0, [sp, #32]\n\tldrd r2, r3, [r0, #24]\n\tcmp r2, r3\n\tbne 1b\n\t"
            "add sp, #36\n\tvpop {d8-d15}\n\tpop {r4-r11, pc}");
}

#else

static void narrow_mve_fours(narrow *at) {
    const sqz_requant to = {.step = 1, .zero_point = -128, .lowest = -128, .highest = 127};
    const unsigned bytes = GROUP * at->inputs;
    for (; at->record != at->end; at->record += sqz_record_bytes(&to, GROUP, bytes), at->out += GROUP) {
        const int8_t *const weights = sqz_record_weights(at->record, GROUP);
        for (unsigned i = 0; i < 2 * at->pairs * GROUP; ++i) {
            const unsigned x = i / GROUP, c = i % GROUP;
            int32_t sum = sqz_record_bias(at->record, c);
            for (unsigned k = 0; k < at->inputs; ++k) {
                sum += weights[c * at->inputs + k] * at->in[x * at->in_step + k];
            }
            at->out[x * at->out_step + c] = sqz_record_requantize(&to, at->record, GROUP, bytes, c, sum);
        }
    }
}

#endif

void sqz_conv_narrow_row_mve(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    const unsigned width = conv->out_width, bytes = GROUP * conv->in_channels;
    narrow all = {
        .in = rows->in[0],
        .in_step = conv->stride_w * conv->in_channels,
        .out = rows->out,
        .out_step = conv->out_stride,
        .pairs = width / 2,
        .inputs = conv->in_channels,
        .record = conv->weights,
        .end = conv->weights + conv->out_channels / GROUP * sqz_record_bytes(&conv->requant, GROUP, bytes),
    };
    int8_t outside[VECTOR];
    if (!all.in) {
        memset(outside, conv->input_zero_point, sizeof outside);
        all.in = outside;
        all.in_step = 0;
    }
    narrow last = all; /* the last pair of an odd row, again; of a single pixel it twice */
    if (all.pairs) {
        narrow_mve_fours(&all);
    } else {
        last.in_step = last.out_step = 0;
    }
    if (width % 2) {
        const unsigned x = width > 1 ? width - 2 : 0;
        last.in += x * last.in_step;
        last.out += x * last.out_step;
        last.pairs = 1;
        narrow_mve_fours(&last);
    }
}
