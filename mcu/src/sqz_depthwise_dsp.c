/* DEPTHWISE_CONV_2D without a depth multiplier, for processors with SMLAD: four channels at a time.
 *
 * A column of the image is made ready once for all output pixels that see it: for each two rows of the window four
 * words, one a channel, that hold the inputs of both as int16. So an output pixel sees one run of words, and its
 * weights are another in the same order. Of an odd last row the second weight is 0 and the second input anything.
 *
 * The weights are records of four channels, the last of which overlap those before if they are no multiple of four:
 *   int32 bias [4], int32 multiplier [4], int8 shift to the right, less one [4],
 *   for each column of the window and in it for each two rows, the second zeros if there is none: bytes of both rows'
 *   weights of channels 0, 1 of the first row, 0, 1 of the second, then 2, 3 of the first, 2, 3 of the second;
 * bias, multiplier and shift of the convolution are null. They are unfolded for a row to a table as the sums eat it.
 *
 * Needs at least four channels, shifts from -22 to -1, sums below 2^30, and no dilation along the width.
 * Scratch, in words: 12 a pair of rows (pointers may be 64 bits), 16 + 4 a pair of rows and column of the window, 4
 * a pair of rows and column of what at most SQZ_PIXELS output pixels see. */
#include "sqz_dsp.h"
#include "sqz_requantize.h"

#include <string.h>

#define GROUP 4u /* channels */
#define SQZ_PIXELS 32u
#define HEAD_BYTES 36u /* of a record: before its weights */
#define SCALE_WORDS 3u

/* Of the code of depthwise_dsp_sums. */
#define STEPS 8u /* in a round */
#define STEP_BYTES 24u

/* The columns of four channels of one or two rows. The assembly knows the order. */
typedef struct columns {
    uint32_t *to;
    const int8_t *first, *second;
    uint32_t first_step, second_step; /* from one column to the next; 0 for a row outside the image */
    uint32_t step, count;             /* bytes in `to`; at least 1 */
    uint32_t first_next, second_next; /* from behind a row to the next four channels */
} columns;

/* The pixels of four channels. The assembly knows the order. */
typedef struct pixels {
    uint32_t *table;          /* biases, weights, then multiplier, shift, what is added, of each channel */
    uint32_t skip;            /* bytes of code not run in the first round */
    int8_t *out;              /* the next */
    uint32_t out_step;        /* bytes from one output to the next */
    uint32_t back;            /* bytes from behind a pixel's columns to the next's */
    int8_t *out_end;
    uint32_t *weights_end, *columns;
    uint32_t usual;           /* whether the zero point is -128 and nothing is clamped */
    uint32_t lowest, highest; /* four times in a word */
} pixels;

#if defined(SQZ_DSP)

#define AT(type, field, word) _Static_assert(offsetof(type, field) == 4 * (word), "the assembly's " #field)
AT(columns, second_step, 4);
AT(columns, count, 6);
AT(columns, second_next, 8);
AT(pixels, out, 2);
AT(pixels, back, 4);
AT(pixels, weights_end, 6);
AT(pixels, usual, 8);
AT(pixels, lowest, 9);

/* Makes the columns of pairs of rows ready, then those of one row if `single`, and moves on to the next channels. */
static SQZ_NAKED void depthwise_dsp_widen(columns *at __attribute__((unused)),
                                                                 unsigned pairs __attribute__((unused)),
                                                                 unsigned single __attribute__((unused))) {
#define NEXT                                                                      \
    "ldrd r8, r9, [r0, #28]\n\tadd r2, r8\n\tadd r3, r9\n\tstrd r2, r3, [r0, #4]\n\tadd r0, #36\n\t"
    __asm__("push {r4-r11, lr}\n\tmov r12, r1\n\tmov lr, r2\n\tcmp r1, #0\n\tbeq 3f\n"
            "1:\tldmia r0, {r1-r7}\n"
            "2:\tldr r8, [r2]\n\tldr r9, [r3]\n\tadd r2, r4\n\tadd r3, r5\n\t"
            "pkhbt r10, r8, r9, lsl #16\n\tpkhtb r11, r9, r8, asr #16\n\t"
            "sxtb16 r8, r10\n\tsxtb16 r9, r10, ror #8\n\tsxtb16 r10, r11\n\tsxtb16 r11, r11, ror #8\n\t"
            "stmia r1, {r8-r11}\n\tadd r1, r6\n\tsubs r7, #1\n\tbne 2b\n\t"
            NEXT "subs r12, #1\n\tbne 1b\n"
            "3:\tcmp lr, #0\n\tbeq 5f\n\tldmia r0, {r1-r7}\n"
            "4:\tldr r11, [r2]\n\tadd r2, r4\n\t"
            "sxtb16 r8, r11\n\tsxtb16 r9, r11, ror #8\n\tsxtb16 r10, r11, ror #16\n\tsxtb16 r11, r11, ror #24\n\t"
            "stmia r1, {r8-r11}\n\tadd r1, r6\n\tsubs r7, #1\n\tbne 4b\n\t"
            NEXT
            "5:\tpop {r4-r11, pc}");
}

/* Unfolds a record. `odd`: 2 * zero point + 1, which shifted is the zero point and what rounds; steps: words of
 * weights / 4. */
static SQZ_NAKED void depthwise_dsp_unfold(const int8_t *record __attribute__((unused)),
                                                                  uint32_t *table __attribute__((unused)),
                                                                  int32_t odd __attribute__((unused)),
                                                                  unsigned steps __attribute__((unused))) {
#define SCALE_OF(multiplier, turned) \
    "uxtb r10, r8" turned "\n\tlsl r11, r2, r10\n\tstmia r9!, {" multiplier ", r10, r11}\n\t"
    __asm__("push {r4-r11, lr}\n\tldmia r0!, {r4-r7}\n\tstmia r1!, {r4-r7}\n\t"
            "add r9, r1, r3, lsl #4\n\tldmia r0!, {r4-r8}\n\t"
            SCALE_OF("r4", "") SCALE_OF("r5", ", ror #8") SCALE_OF("r6", ", ror #16") SCALE_OF("r7", ", ror #24") "\n"
            "1:\tldrd r5, r7, [r0], #8\n\tsxtb16 r4, r5\n\tsxtb16 r5, r5, ror #8\n\t"
            "sxtb16 r6, r7\n\tsxtb16 r7, r7, ror #8\n\tstmia r1!, {r4-r7}\n\tsubs r3, #1\n\tbne 1b\n\t"
            "pop {r4-r11, pc}");
}

#define STEP                                                      \
    "ldmia r12!, {r4-r7}\n\tldmia lr!, {r8-r11}\n\t"              \
    "smlad r0, r4, r8, r0\n\tsmlad r1, r5, r9, r1\n\t"            \
    "smlad r2, r6, r10, r2\n\tsmlad r3, r7, r11, r3\n\t"
#define FOUR_STEPS STEP STEP STEP STEP

/* Twice a sum to int8, as in sqz_tile_dsp.c; the second where halves matter. */
#define SCALE(x, multiplier, shift, added) \
    "smmlar " x ", " x ", " multiplier ", " added "\n\t" SATURATE(x, shift)
#define SCALE_AWAY(x, multiplier, shift, added) \
    "smmlar r10, " x ", " multiplier ", " added "\n\tadd " x ", r10, " x ", asr #31\n\t" SATURATE(x, shift)
#define SATURATE(x, shift) "asr " x ", " shift "\n\tssat " x ", #8, " x ", asr #1\n\t"

/* The words of the structure are copied to the stack. r12: table, lr: columns. */
static SQZ_NAKED void depthwise_dsp_sums(const pixels *at __attribute__((unused))) {
    __asm__("push {r4-r11, lr}\n\tldmia r0, {r0-r10}\n\tpush {r0-r10}\n\tmov lr, r7\n"
            "1:\tldrd r12, r11, [sp]\n\tldmia r12!, {r0-r3}\n\tadd pc, r11\n\tnop\n"
            "2:\t" FOUR_STEPS FOUR_STEPS
            "ldr r4, [sp, #24]\n\tcmp r12, r4\n\tbne 2b\n\t"
            "lsl r0, r0, #1\n\tlsl r1, r1, #1\n\tlsl r2, r2, #1\n\tlsl r3, r3, #1\n\t"
            "ldmia r12!, {r4-r9}\n\tldr r10, [sp, #32]\n\tcmp r10, #0\n\tbeq 4f\n\t"
            SCALE("r0", "r4", "r5", "r6") SCALE("r1", "r7", "r8", "r9")
            "ldmia r12, {r4-r9}\n\tbfi r0, r1, #8, #8\n\t"
            SCALE("r2", "r4", "r5", "r6") SCALE("r3", "r7", "r8", "r9")
            "bfi r0, r2, #16, #8\n\tbfi r0, r3, #24, #8\n"
            "3:\tldrd r10, r11, [sp, #8]\n\tldrd r4, r5, [sp, #16]\n\t"
            "str r0, [r10]\n\tadd r10, r11\n\tstr r10, [sp, #8]\n\tadd lr, r4\n\tcmp r10, r5\n\tbne 1b\n\t"
            "add sp, #44\n\tpop {r4-r11, pc}\n"
            "4:\t" SCALE_AWAY("r0", "r4", "r5", "r6") SCALE_AWAY("r1", "r7", "r8", "r9")
            "ldmia r12, {r4-r9}\n\tbfi r0, r1, #8, #8\n\t"
            SCALE_AWAY("r2", "r4", "r5", "r6") SCALE_AWAY("r3", "r7", "r8", "r9")
            "bfi r0, r2, #16, #8\n\tbfi r0, r3, #24, #8\n\tldrd r4, r5, [sp, #36]\n\t"
            "ssub8 r6, r0, r4\n\tsel r0, r0, r4\n\tssub8 r6, r5, r0\n\tsel r0, r0, r5\n\t"
            "b 3b");
}

#else

static uint32_t pair_of(int8_t low, int8_t high) {
    return (uint16_t)low | (uint32_t)high << 16;
}

static void depthwise_dsp_widen(columns *at, unsigned pairs, unsigned single) {
    for (unsigned k = 0; k < pairs + single; ++k, ++at) {
        uint32_t *to = at->to;
        for (unsigned i = 0; i < at->count; ++i, to += at->step / 4) {
            for (unsigned c = 0; c < GROUP; ++c) {
                to[c] = pair_of(at->first[c], k < pairs ? at->second[c] : 0);
            }
            at->first += at->first_step;
            at->second += at->second_step;
        }
        at->first += (int32_t)at->first_next;
        at->second += (int32_t)at->second_next;
    }
}

static void depthwise_dsp_unfold(const int8_t *record, uint32_t *table, int32_t odd, unsigned steps) {
    uint32_t *scale = table + GROUP * (1 + steps);
    for (unsigned c = 0; c < GROUP; ++c, scale += SCALE_WORDS) {
        table[c] = sqz_load4(record + 4 * c);
        scale[0] = sqz_load4(record + 4 * (GROUP + c));
        scale[1] = (uint8_t)record[8 * GROUP + c];
        scale[2] = (uint32_t)odd << scale[1];
    }
    const int8_t *weights = record + HEAD_BYTES;
    for (unsigned i = 0; i < 2 * steps; ++i, weights += 4) {
        table[GROUP + 2 * i] = pair_of(weights[0], weights[2]);
        table[GROUP + 2 * i + 1] = pair_of(weights[1], weights[3]);
    }
}

static int8_t scaled(const pixels *at, int32_t sum, const uint32_t *scale) {
    const int shift = (int)scale[1] + 1, zero_point = (int32_t)scale[2] >> shift;
    const int32_t q = sqz_shift_right(sqz_high_mul(sum, (int32_t)scale[0]), shift) + zero_point;
    return sqz_clamp(q, (int8_t)(at->lowest & 0xFFu), (int8_t)(at->highest & 0xFFu));
}

static void depthwise_dsp_sums(const pixels *at) {
    const uint32_t *column = at->columns;
    for (int8_t *out = at->out; out != at->out_end; out += at->out_step, column += (int32_t)at->back / 4) {
        int32_t sum[GROUP];
        memcpy(sum, at->table, sizeof sum);
        for (const uint32_t *weight = at->table + GROUP; weight != at->weights_end; weight += GROUP, column += GROUP) {
            for (unsigned c = 0; c < GROUP; ++c) {
                sum[c] = sqz_smlad(weight[c], column[c], sum[c]);
            }
        }
        for (unsigned c = 0; c < GROUP; ++c) {
            out[c] = scaled(at, sum[c], at->weights_end + SCALE_WORDS * c);
        }
    }
}

#endif

/* A row, and what of it is ready at once: the columns of some output pixels. */
typedef struct row_job {
    const sqz_conv *conv;
    const sqz_rows *rows;
    columns *list;            /* one for each two rows of the window */
    unsigned pairs, single;   /* whole ones; whether one row is left */
    unsigned words, inside;   /* of a column; columns that lie inside the image */
    int8_t outside[GROUP];
} row_job;

static void fill(uint32_t *to, int16_t value, unsigned count) {
    for (; count; --count) {
        *to++ = (uint16_t)value * 0x00010001u;
    }
}

/* Row k of the window from `offset` on, or what stands for it, with its steps. */
static const int8_t *row_of(const row_job *job, unsigned k, size_t offset, uint32_t *step, uint32_t *next) {
    const sqz_conv *conv = job->conv;
    const int8_t *row = k < conv->kernel_h ? job->rows->in[k * conv->dilation_h] : NULL;
    *step = row ? conv->in_channels : 0;
    *next = row ? GROUP - job->inside * conv->in_channels : 0;
    return row ? row + offset : job->outside;
}

/* Lists what `count` columns from the window of output pixel x on are made of, and fills in those outside the image,
 * which are the same for all channels. */
static void begin(row_job *job, unsigned x, unsigned count, uint32_t *to) {
    const sqz_conv *conv = job->conv;
    const int start = (int)(x * conv->stride_w) - conv->pad_left, end = start + (int)count;
    const int from = start < 0 ? 0 : start, until = end < conv->in_width ? end : conv->in_width;
    job->inside = from < until ? (unsigned)(until - from) : 0;
    const unsigned left = job->inside ? (unsigned)(from - start) : count, right = left + job->inside;
    fill(to, conv->input_zero_point, left * job->words);
    fill(to + right * job->words, conv->input_zero_point, (count - right) * job->words);
    const size_t offset = (size_t)from * conv->in_channels;
    columns *at = job->list;
    for (unsigned k = 0; k < conv->kernel_h; k += 2, ++at) {
        at->to = to + left * job->words + k / 2 * GROUP;
        at->first = row_of(job, k, offset, &at->first_step, &at->first_next);
        at->second = row_of(job, k + 1, offset, &at->second_step, &at->second_next);
        at->step = job->words * 4;
        at->count = job->inside;
    }
}

/* Takes back what the last four channels have in common with those before. */
static void go_back(const row_job *job, unsigned channels) {
    for (columns *at = job->list; at < job->list + job->pairs + job->single; ++at) {
        at->first -= at->first_step ? channels : 0;
        at->second -= at->second_step ? channels : 0;
    }
}

static void sum_channels(const row_job *job, pixels *at) {
    const sqz_conv *conv = job->conv;
    const unsigned steps = job->words / GROUP * conv->kernel_w, channels = conv->out_channels;
    const int8_t *record = conv->weights;
    int8_t *const out = at->out;
    const size_t bytes = (size_t)(at->out_end - out);
    for (unsigned c = 0; c < channels; c += GROUP, record += HEAD_BYTES + 8 * steps) {
        const unsigned over = c + GROUP <= channels ? 0 : c + GROUP - channels;
        if (over) {
            go_back(job, over);
        }
        depthwise_dsp_unfold(record, at->table, 2 * conv->requant.zero_point + 1, steps);
        if (job->inside) {
            depthwise_dsp_widen(job->list, job->pairs, job->single);
        }
        at->out = out + (c - over);
        at->out_end = at->out + bytes;
        depthwise_dsp_sums(at);
    }
    at->out = out + bytes;
}

void sqz_depthwise_row_dsp(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    const sqz_requant *to = &conv->requant;
    const int8_t zero = conv->input_zero_point;
    const unsigned rows_2 = (conv->kernel_h + 1u) / 2, steps = rows_2 * conv->kernel_w;
    row_job job = {
        .conv = conv,
        .rows = rows,
        .list = rows->scratch,
        .pairs = conv->kernel_h / 2u,
        .single = conv->kernel_h % 2u,
        .words = rows_2 * GROUP,
        .outside = {zero, zero, zero, zero},
    };
    uint32_t *const table = (uint32_t *)(job.list + rows_2), *const weights_end = table + GROUP * (1 + steps);
    pixels at = {
        .table = table,
        .skip = (0u - steps) % STEPS * STEP_BYTES,
        .out = rows->out,
        .out_step = conv->out_stride,
        .back = ((uint32_t)conv->stride_w - conv->kernel_w) * job.words * 4,
        .weights_end = weights_end,
        .columns = weights_end + SCALE_WORDS * GROUP,
        .usual = to->zero_point == -128 && to->lowest == -128 && to->highest == 127,
        .lowest = (uint8_t)to->lowest * 0x01010101u,
        .highest = (uint8_t)to->highest * 0x01010101u,
    };
    for (unsigned x = 0; x < conv->out_width; x += SQZ_PIXELS) {
        const unsigned left = conv->out_width - x, count = left < SQZ_PIXELS ? left : SQZ_PIXELS;
        begin(&job, x, (count - 1) * conv->stride_w + conv->kernel_w, at.columns);
        at.out_end = at.out + (size_t)count * conv->out_stride;
        sum_channels(&job, &at);
    }
}
