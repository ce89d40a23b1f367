/* DEPTHWISE_CONV_2D without a depth multiplier, for processors with Helium: two output pixels by eight channels at a
 * time.
 *
 * Products of int8 fit 16 bits, and so do sums of two: those are widened and added, even channels and odd ones
 * apart. The columns that pixels see are copied together first, so that a pixel's inputs are one run of bytes
 * [column, row, 8]; an odd row's last pixel is computed with the one before it again, a single one twice.
 *
 * The weights are records of eight channels, the last of which overlap those before if they are no multiple of eight:
 *   int32 bias, int8 shift, int32 multiplier [8], each of the even channels, then of the odd, int8 weights [KW, KH, 8];
 * bias, multiplier and shift of the convolution are null.
 *
 * Needs at least eight channels, weights above -128, shifts from -22 to -1 and no dilation along the width.
 * Scratch: 8 * kernel_h for each column that at most SQZ_PIXELS output pixels see. */
#include "sqz_bytes.h"
#include "sqz_load.h"
#include "sqz_requantize.h"

#define GROUP 8u /* channels */
#define SQZ_PIXELS 32u
#define SHIFTS 32u /* bytes of a record before its shifts, multipliers, weights */
#define MULTIPLIERS 40u
#define WEIGHTS 72u

/* Pairs of pixels of eight channels. The assembly knows the order. */
typedef struct pixels {
    int8_t *out;
    const int8_t *columns;
    uint32_t column_step; /* bytes from one pixel's columns to the next's */
    const int8_t *record;
    uint32_t steps;       /* half of the taps */
    uint32_t out_step;
    uint32_t count;       /* of pairs, at least 1 */
    uint32_t odd;         /* whether one tap is left */
    uint32_t usual;       /* whether the zero point is -128 and nothing is clamped */
    int32_t zero_point, lowest, highest;
} pixels;

#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__) && defined(__thumb2__)

#define AT(field, offset) _Static_assert(offsetof(pixels, field) == (offset), "the assembly's " #field)
AT(record, 12);
AT(count, 24);
AT(odd, 28);
AT(usual, 32);
AT(zero_point, 36);
AT(highest, 44);

/* Eight bytes of each column. */
static inline void copy(int8_t *to, unsigned to_step, const int8_t *from, unsigned from_step, unsigned count) {
    __asm__ volatile("wls lr, %[n], 2f\n"
                     "1:\tvldrb.u16 q0, [%[from]]\n\t"
                     "add %[from], %[from], %[from_step]\n\t"
                     "vstrb.16 q0, [%[to]]\n\t"
                     "add %[to], %[to], %[to_step]\n\t"
                     "le lr, 1b\n"
                     "2:"
                     : [to] "+l"(to), [from] "+l"(from)
                     : [n] "r"(count), [to_step] "r"(to_step), [from_step] "r"(from_step)
                     : "q0", "lr", "memory");
}

#define WIDEN(sum, other, products, free)                                               \
    "vmovlb.s16 " free ", " products "\n\tvmovlt.s16 " products ", " products "\n\t"    \
    "vadd.i32 " sum ", " sum ", " free "\n\tvadd.i32 " other ", " other ", " products "\n\t"
#define AWAY(sum) "vshr.s32 q0, " sum ", #31\n\tvadd.i32 " sum ", " sum ", q0\n\t"

/* r1: record, r2 and r3: columns of both pixels; q4 and q5: sums of the first, q6 and q7: of the second. */
static SQZ_NAKED void depthwise_mve_sums(const pixels *at __attribute__((unused))) {
    __asm__("push {r4-r11, lr}\n\tvpush {d8-d15}\n\tldmia r0!, {r4, r6-r11}\n"
            "1:\tmov r1, r8\n\tmov r2, r6\n\tadd r3, r6, r7\n\t"
            "vldrw.32 q4, [r1], #16\n\tvldrw.32 q5, [r1], #56\n\tvmov q6, q4\n\tvmov q7, q5\n\t"
            "wls lr, r9, 3f\n"
            "2:\tvldrb.s16 q0, [r1], #8\n\tvldrb.s16 q1, [r1], #8\n\t"
            "vldrb.s16 q2, [r2], #8\n\tvmul.i16 q2, q2, q0\n\t"
            "vldrb.s16 q3, [r2], #8\n\tvmul.i16 q3, q3, q1\n\tvadd.i16 q2, q2, q3\n\t"
            WIDEN("q4", "q5", "q2", "q3")
            "vldrb.s16 q2, [r3], #8\n\tvmul.i16 q2, q2, q0\n\t"
            "vldrb.s16 q3, [r3], #8\n\tvmul.i16 q3, q3, q1\n\tvadd.i16 q2, q2, q3\n\t"
            WIDEN("q6", "q7", "q2", "q3")
            "le lr, 2b\n"
            "3:\tldr r5, [r0]\n\tcmp r5, #0\n\tbeq 4f\n\tvldrb.s16 q0, [r1]\n\t"
            "vldrb.s16 q2, [r2]\n\tvmul.i16 q2, q2, q0\n\t" WIDEN("q4", "q5", "q2", "q3")
            "vldrb.s16 q2, [r3]\n\tvmul.i16 q2, q2, q0\n\t" WIDEN("q6", "q7", "q2", "q3") "\n"
            "4:\tadd r1, r8, #32\n\tldrd r2, r3, [r0, #4]\n\t"
            "vldrb.s32 q2, [r1], #4\n\tvldrb.s32 q3, [r1], #4\n\tvldrw.32 q0, [r1], #16\n\tvldrw.32 q1, [r1]\n\t"
            "vqrdmulh.s32 q4, q4, q0\n\tvqrdmulh.s32 q5, q5, q1\n\t"
            "vqrdmulh.s32 q6, q6, q0\n\tvqrdmulh.s32 q7, q7, q1\n\t"
            "cmp r2, #0\n\tbeq 6f\n"
            "5:\tvrshl.s32 q4, q4, q2\n\tvrshl.s32 q5, q5, q3\n\tvrshl.s32 q6, q6, q2\n\tvrshl.s32 q7, q7, q3\n\t"
            "vqmovnb.s32 q4, q4\n\tvqmovnt.s32 q4, q5\n\tvqmovnb.s32 q6, q6\n\tvqmovnt.s32 q6, q7\n\t"
            "vdup.16 q0, r3\n\tvqadd.s16 q4, q4, q0\n\tvqadd.s16 q6, q6, q0\n\t"
            "cbz r2, 7f\n\tvqmovnb.s16 q4, q4\n\tvqmovnb.s16 q6, q6\n"
            "8:\tadd r5, r4, r10\n\tvstrb.16 q4, [r4]\n\tvstrb.16 q6, [r5]\n\t"
            "add r4, r5, r10\n\tadd r6, r6, r7, lsl #1\n\tsubs r11, r11, #1\n\tbne.w 1b\n\t"
            "vpop {d8-d15}\n\tpop {r4-r11, pc}\n"
            "6:\t" AWAY("q4") AWAY("q5") AWAY("q6") AWAY("q7") "b 5b\n"
            "7:\tldrd r2, r3, [r0, #12]\n\tvdup.16 q0, r2\n\tvdup.16 q1, r3\n\t"
            "vmax.s16 q4, q4, q0\n\tvmin.s16 q4, q4, q1\n\tvmax.s16 q6, q6, q0\n\tvmin.s16 q6, q6, q1\n\tb 8b");
}

#else

static void copy(int8_t *to, unsigned to_step, const int8_t *from, unsigned from_step, unsigned count) {
    for (; count; --count, to += to_step, from += from_step) {
        memcpy(to, from, GROUP);
    }
}

/* Channel i of one pixel. */
static int8_t pixel(const pixels *at, const int8_t *columns, unsigned i) {
    const unsigned place = i / 2 + i % 2 * 4; /* in the tables */
    int32_t sum = (int32_t)sqz_load4(at->record + 4 * place);
    for (unsigned k = 0; k < 2 * at->steps + at->odd; ++k) {
        sum += columns[k * GROUP + i] * at->record[WEIGHTS + k * GROUP + i];
    }
    const int32_t multiplier = (int32_t)sqz_load4(at->record + MULTIPLIERS + 4 * place);
    const int32_t q = sqz_multiply(sum, multiplier, at->record[SHIFTS + place]) + at->zero_point;
    return sqz_clamp(q, (int8_t)at->lowest, (int8_t)at->highest);
}

static void depthwise_mve_sums(const pixels *at) {
    for (unsigned x = 0; x < 2 * at->count; ++x) {
        for (unsigned i = 0; i < GROUP; ++i) {
            at->out[x * at->out_step + i] = pixel(at, at->columns + x * at->column_step, i);
        }
    }
}

#endif

/* A row, and what of it is ready at once: the columns of some output pixels. */
typedef struct row_job {
    const sqz_conv *conv;
    const sqz_rows *rows;
    unsigned height;         /* bytes of a column */
    unsigned left, inside;   /* columns to the left of the image and in it */
    int from;                /* the first of those */
} row_job;

/* Finds `count` columns from the window of output pixel x on, and fills in those outside the image, which are the
 * same for all channels. */
static void begin(row_job *job, unsigned x, unsigned count) {
    const sqz_conv *conv = job->conv;
    const int start = (int)(x * conv->stride_w) - conv->pad_left, end = start + (int)count;
    const int until = end < conv->in_width ? end : conv->in_width;
    int8_t *const to = job->rows->scratch, zero = conv->input_zero_point;
    job->from = start < 0 ? 0 : start;
    job->inside = job->from < until ? (unsigned)(until - job->from) : 0;
    job->left = job->inside ? (unsigned)(job->from - start) : count;
    const unsigned right = job->left + job->inside;
    sqz_set(to, zero, job->left * job->height);
    sqz_set(to + right * job->height, zero, (count - right) * job->height);
    for (unsigned k = 0; k < conv->kernel_h; ++k) {
        for (unsigned i = job->left; i < right && !job->rows->in[k * conv->dilation_h]; ++i) {
            sqz_set(to + i * job->height + k * GROUP, zero, GROUP);
        }
    }
}

/* Copies eight channels from c on. */
static void fill(const row_job *job, unsigned c) {
    const sqz_conv *conv = job->conv;
    const unsigned channels = conv->in_channels, height = job->height, inside = job->inside, step = conv->dilation_h;
    const size_t offset = (size_t)job->from * channels + c;
    const int8_t *const *in = job->rows->in;
    int8_t *to = (int8_t *)job->rows->scratch + job->left * height;
    for (unsigned left = conv->kernel_h; left; --left, in += step, to += GROUP) {
        if (*in) {
            copy(to, height, *in + offset, channels, inside);
        }
    }
}

/* All channels of `count` pixels, the first of which is written to `out`. */
static void sum_channels(const row_job *job, pixels at, unsigned count, int8_t *out) {
    const sqz_conv *conv = job->conv;
    const unsigned channels = conv->out_channels, odd = count % 2, again = count > 1 ? count - 2 : 0;
    at.record = conv->weights;
    if (count == 1) {
        at.column_step = at.out_step = 0;
    }
    for (unsigned c = 0; c < channels; c += GROUP, at.record += WEIGHTS + job->height * conv->kernel_w) {
        const unsigned first = c + GROUP <= channels ? c : channels - GROUP;
        fill(job, first);
        at.out = out + first;
        at.columns = job->rows->scratch;
        at.count = count / 2;
        if (at.count) {
            depthwise_mve_sums(&at);
        }
        if (odd) {
            at.out += again * at.out_step;
            at.columns += again * at.column_step;
            at.count = 1;
            depthwise_mve_sums(&at);
        }
    }
}

void sqz_depthwise_row_mve(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    const sqz_requant *to = &conv->requant;
    const unsigned height = conv->kernel_h * GROUP, taps = (unsigned)conv->kernel_h * conv->kernel_w;
    row_job job = {.conv = conv, .rows = rows, .height = height};
    pixels at = {
        .column_step = conv->stride_w * height,
        .out_step = conv->out_stride,
        .steps = taps / 2,
        .odd = taps % 2,
        .usual = to->zero_point == -128 && to->lowest == -128 && to->highest == 127,
        .zero_point = to->zero_point,
        .lowest = to->lowest,
        .highest = to->highest,
    };
    for (unsigned x = 0; x < conv->out_width; x += SQZ_PIXELS) {
        const unsigned left = conv->out_width - x, count = left < SQZ_PIXELS ? left : SQZ_PIXELS;
        begin(&job, x, (count - 1) * conv->stride_w + conv->kernel_w);
        sum_channels(&job, at, count, rows->out + (size_t)x * conv->out_stride);
    }
}
