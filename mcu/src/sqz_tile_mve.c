#include "sqz_tile_mve.h"
#include "sqz_bytes.h"
#include "sqz_record.h"

#define VECTOR 16u
#define GROUP 4u /* channels */

#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__) && defined(__thumb2__)
#define SQZ_MVE 1
#endif

/* Bytes of code in sqz_mve_fours. */
#define BLOCK_BYTES 56u
#define BLOCKS 4u /* in a round */
#define ROUND_BYTES (BLOCKS * BLOCK_BYTES + 8u)

void sqz_mve_begin(sqz_mve_tile *tile, const sqz_conv *conv, const sqz_rows *rows) {
    const sqz_requant *to = &conv->requant;
    sqz_window_begin(&tile->window, conv, rows);
    const unsigned count = tile->window.rows * tile->window.bytes, blocks = (count - 1) / VECTOR;
    tile->rounds = (blocks + BLOCKS - 1) / BLOCKS;
    tile->skip = blocks ? (0u - blocks) % BLOCKS * BLOCK_BYTES : ROUND_BYTES;
    tile->tail = count - blocks * VECTOR;
    tile->usual = to->step && to->zero_point == -128;
    tile->zero_point = to->zero_point;
    tile->least = to->lowest == to->zero_point ? 0 : INT32_MIN;
    tile->multipliers = to->step;
    tile->patch = rows->scratch;
    tile->count = count;
    tile->stride = (blocks + 1) * VECTOR;
    tile->four_bytes = (unsigned)sqz_record_bytes(to, GROUP, GROUP * count);
    if (tile->tail < VECTOR) { /* what fills up the last vectors is not written to again */
        sqz_set(tile->patch + count, 0, VECTOR - tile->tail);
        sqz_set(tile->patch + tile->stride + count, 0, VECTOR - tile->tail);
    }
}

/* The window from `start` on, which leaves the image. */
static SQZ_NOINLINE void copy_edge(const sqz_window *window, int start, int8_t *to) {
    const sqz_conv *conv = window->conv;
    const int bytes = (int)window->bytes, beyond = start + bytes - conv->in_width * conv->in_channels;
    const int left = start < 0 ? -start : 0, inside = bytes - left - (beyond < 0 ? 0 : beyond);
    const int8_t *const *row = window->in;
    if (inside < bytes || window->end < 0) {
        sqz_set(to, conv->input_zero_point, window->rows * window->bytes);
    }
    for (unsigned i = window->rows; i; --i, row += window->row_step, to += bytes) {
        if (*row && inside > 0) {
            sqz_copy(to + left, *row + (start + left), (unsigned)inside);
        }
    }
}

/* That of output pixel x. */
static void copy_window(const sqz_window *window, unsigned x, int8_t *to) {
    if (window->conv->dilation_w > 1) {
        sqz_window_copy(window, x, 0, window->rows, to);
    } else {
        copy_edge(window, sqz_window_start(window, x), to);
    }
}

void sqz_mve_fill(sqz_mve_tile *tile, unsigned x) {
    const sqz_window *window = &tile->window;
    const unsigned next = x + 1 < window->out_width ? x + 1 : x, bytes = window->bytes, stride = tile->stride;
    const int start = sqz_window_start(window, x), step = next == x ? 0 : window->step;
    const int8_t *const *row = window->in;
    int8_t *to = tile->patch;
    tile->inputs[0] = to;
    tile->inputs[1] = to + stride;
    if (!sqz_window_inside(window, start, start + step)) {
        copy_window(window, x, to);
        copy_window(window, next, to + stride);
    } else if (bytes == stride) { /* one run of whole vectors */
        tile->inputs[0] = *row + start;
        tile->inputs[1] = *row + start + step;
    } else {
        for (unsigned left = window->rows, row_step = window->row_step; left; --left, row += row_step, to += bytes) {
            const int8_t *from = *row + start;
            sqz_copy_two(to, from, to + stride, from + step, bytes);
        }
    }
}

#if defined(SQZ_MVE)
#include <arm_mve.h>
#define AT(field, offset) _Static_assert(offsetof(sqz_mve_tile, field) == (offset), "the assembly's " #field)
AT(record, 0);
AT(end, 4);
AT(first, 8);
AT(inputs, 16);
AT(rounds, 24);
AT(tail, 32);
AT(zero_point, 40);
AT(multipliers, 48);

/* r1: weights; r3, r5: inputs of both pixels. The eight sums take all even registers, which VMLADAVA asks for. */
#define BLOCK                                                                        \
    "vldrb.8 q0, [r3], #16\n\tvldrb.8 q1, [r5], #16\n\t"                             \
    "vldrb.8 q2, [r1], #16\n\tvldrb.8 q3, [r1], #16\n\t"                             \
    "vmladava.s8 r0, q0, q2\n\tvmladava.s8 r2, q1, q2\n\tvldrb.8 q2, [r1], #16\n\t"  \
    "vmladava.s8 r4, q0, q3\n\tvmladava.s8 r6, q1, q3\n\tvldrb.8 q3, [r1], #16\n\t"  \
    "vmladava.s8 r8, q0, q2\n\tvmladava.s8 r10, q1, q2\n\t"                          \
    "vmladava.s8 r12, q0, q3\n\tvmladava.s8 lr, q1, q3\n\t"

/* r9: tile + 16; q4: multipliers, q5: shifts, q6: zero point, q7: least. Halves are rounded away from zero, so 1 is taken
 * from what is negative before the shift; where the zero point is -128 that would saturate anyway. */
SQZ_NAKED void sqz_mve_fours(sqz_mve_tile *tile __attribute__((unused))) {
    __asm__("push {r4-r11, lr}\n\tvpush {d8-d15}\n\t"
            "ldr r1, [r0], #16\n\tmov r9, r0\n\t"
            "ldrd r2, r4, [r9, #24]\n\tvdup.16 q6, r2\n\tvdup.32 q7, r4\n\t"
            "mov.w r2, #0x40000000\n\tvdup.32 q4, r2\n"
            "1:\tldrd r0, r4, [r1]\n\tldrd r2, r6, [r1], #8\n\tldrd r8, r12, [r1]\n\tldrd r10, lr, [r1], #8\n\t"
            "ldmia r9, {r3, r5, r7, r11}\n\t"
            "add pc, r11\n\tnop\n"
            "2:\t" BLOCK BLOCK BLOCK BLOCK
            "subs.w r7, r7, #1\n\tbne.w 2b\n\t"
            "ldrd r11, r7, [r9, #16]\n\t" /* the last vector, of which only `tail` bytes are there */
            "vldrb.8 q0, [r3]\n\tvldrb.8 q1, [r5]\n\t"
            "vldrb.8 q2, [r1]\n\tadd r1, r11\n\tvldrb.8 q3, [r1]\n\tadd r1, r11\n\t"
            "vmladava.s8 r0, q0, q2\n\tvmladava.s8 r2, q1, q2\n\tvldrb.8 q2, [r1]\n\tadd r1, r11\n\t"
            "vmladava.s8 r4, q0, q3\n\tvmladava.s8 r6, q1, q3\n\tvldrb.8 q3, [r1]\n\tadd r1, r11\n\t"
            "vmladava.s8 r8, q0, q2\n\tvmladava.s8 r10, q1, q2\n\t"
            "vmladava.s8 r12, q0, q3\n\tvmladava.s8 lr, q1, q3\n\t"
            "vmov q0[2], q0[0], r0, r8\n\tvmov q0[3], q0[1], r4, r12\n\t"
            "vmov q1[2], q1[0], r2, r10\n\tvmov q1[3], q1[1], r6, lr\n\t"
            "vldrb.s32 q5, [r1], #4\n\tcbz r7, 4f\n\t"
            "vldrw.32 q4, [r1], #16\n\tvqrdmulh.s32 q0, q0, q4\n\tvqrdmulh.s32 q1, q1, q4\n"
            "3:\tvrshl.s32 q0, q0, q5\n\tvrshl.s32 q1, q1, q5\n\t"
            "vqmovnb.s32 q2, q0\n\tvqmovnt.s32 q2, q1\n\tvqadd.s16 q2, q2, q6\n\tvqmovnb.s16 q3, q2\n\t"
            "ldmdb r9, {r3, r5, r7}\n\t"
            "vstrb.32 q3, [r5], #4\n\tvshr.u32 q3, q3, #16\n\tvstrb.32 q3, [r7], #4\n\t"
            "strd r5, r7, [r9, #-8]\n\tcmp r1, r3\n\tbne.w 1b\n\t"
            "str r1, [r9, #-16]\n\tvpop {d8-d15}\n\tpop {r4-r11, pc}\n"
            /* another zero point, or no multipliers */
            "4:\tldr r0, [r9, #32]\n\tcbz r0, 5f\n\t"
            "vldrw.32 q4, [r1], #16\n"
            "5:\tvmax.s32 q0, q0, q7\n\tvmax.s32 q1, q1, q7\n\t"
            "vqrdmulh.s32 q0, q0, q4\n\tvqrdmulh.s32 q1, q1, q4\n\t"
            "vshr.s32 q2, q0, #31\n\tvadd.i32 q0, q0, q2\n\tvshr.s32 q3, q1, #31\n\tvadd.i32 q1, q1, q3\n\t"
            "b.w 3b");
}

static int32_t sum_of(const int8_t *weights, const int8_t *inputs, unsigned count) {
    int32_t sum = 0;
    for (; count >= VECTOR; count -= VECTOR, weights += VECTOR, inputs += VECTOR) {
        sum = vmladavaq_s8(sum, vldrbq_s8(weights), vldrbq_s8(inputs));
    }
    const mve_pred16_t left = vctp8q(count);
    return vmladavaq_p_s8(sum, vldrbq_z_s8(weights, left), vldrbq_z_s8(inputs, left), left);
}

#else

static int32_t sum_of(const int8_t *weights, const int8_t *inputs, unsigned count) {
    int32_t sum = 0;
    for (unsigned k = 0; k < count; ++k) {
        sum += weights[k] * inputs[k];
    }
    return sum;
}

/* Of channel c of four. */
static int32_t sum_of_four(const int8_t *weights, const int8_t *inputs, unsigned count, unsigned c) {
    int32_t sum = 0;
    for (unsigned k = 0; k < count; k += VECTOR) {
        const unsigned width = count - k < VECTOR ? count - k : VECTOR;
        sum += sum_of(weights + k * GROUP + width * c, inputs + k, width);
    }
    return sum;
}

void sqz_mve_fours(sqz_mve_tile *tile) {
    const sqz_requant *to = &tile->window.conv->requant;
    const size_t bytes = GROUP * tile->count, record_bytes = sqz_record_bytes(to, GROUP, bytes);
    for (const int8_t *record = tile->record; record != tile->end; record += record_bytes) {
        for (unsigned i = 0; i < GROUP * SQZ_MVE_PIXELS; ++i) {
            const unsigned c = i / SQZ_MVE_PIXELS, pixel = i % SQZ_MVE_PIXELS;
            const int32_t sum = sum_of_four(sqz_record_weights(record, GROUP), tile->inputs[pixel], tile->count, c);
            int8_t **to_pixel = pixel ? &tile->second : &tile->first;
            *(*to_pixel)++ = sqz_record_requantize(to, record, GROUP, bytes, c, sqz_record_bias(record, c) + sum);
        }
    }
    tile->record = tile->end;
}

#endif

void sqz_mve_single(sqz_mve_tile *tile) {
    const sqz_requant *to = &tile->window.conv->requant;
    const int8_t *record = tile->record;
    const unsigned bytes = (tile->count + 3) / 4 * 4;
    for (unsigned pixel = 0; pixel < SQZ_MVE_PIXELS; ++pixel) {
        const int32_t sum = sum_of(sqz_record_weights(record, 1), tile->inputs[pixel], tile->count);
        int8_t **at = pixel ? &tile->second : &tile->first;
        *(*at)++ = sqz_record_requantize(to, record, 1, bytes, 0, sqz_record_bias(record, 0) + sum);
    }
    tile->record += sqz_record_bytes(to, 1, bytes);
}
