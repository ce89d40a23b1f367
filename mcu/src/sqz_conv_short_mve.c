/* CONV_2D for processors with Helium where a window has 27 inputs, as three channels of 3 x 3 have, or 32: those of two
 * pixels, two vectors each, stay in registers for all channels.
 *
 * The weights are records as sqz_tile_mve.h says, of whole groups of four channels, with multipliers.
 *
 * Needs shifts from -22 to -1, a zero point of -128, no clamp but int8's or RELU's. Scratch: 64. */
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

#define CHANNEL(q, bytes, sum, first, second, a, b) \
    "vldrb.8 " q ", [r1], #" #bytes "\n\t" sum ".s8 " first ", " a ", " q "\n\t" sum ".s8 " second ", " b ", " q "\n\t"
#define CHANNELS(bytes, sum, a, b)                                                                  \
    CHANNEL("q4", bytes, sum, "r0", "r8", a, b) CHANNEL("q5", bytes, sum, "r2", "r10", a, b)        \
    CHANNEL("q6", bytes, sum, "r4", "r12", a, b) CHANNEL("q7", bytes, sum, "r6", "lr", a, b)

/* With `tail` inputs in the second vector, `bias` bytes from a record's biases to its shifts. r1: weights, r3: the last, r5
 * and r7: outputs, r11: 128; q0 and q1: inputs of the first pixel, q2 and q3: of the second. What is negative
 * saturates, however it is rounded. */
#define FOURS(tail, bias)                                                                                          \
    "ldmia r0, {r1, r3, r5, r7, r9, r11}\n\t"                                                                      \
    "vldrb.8 q0, [r9]\n\tvldrb.8 q1, [r9, #16]\n\tvldrb.8 q2, [r11]\n\tvldrb.8 q3, [r11, #16]\n\t"                  \
    "adds r1, #16\n\tadds r3, #16\n\tmov r11, #128\n"                                                              \
    "1:\t" CHANNELS(16, "vmladav", "q0", "q2") CHANNELS(tail, "vmladava", "q1", "q3")                              \
    "vldrw.32 q4, [r1, #-" #bias "]\n\tvldrb.s32 q5, [r1], #4\n\t"                                                \
    "vmov q6[2], q6[0], r0, r4\n\tvmov q6[3], q6[1], r2, r6\n\tvadd.i32 q6, q6, q4\n\t"                          \
    "vmov q7[2], q7[0], r8, r12\n\tvmov q7[3], q7[1], r10, lr\n\tvadd.i32 q7, q7, q4\n\t"                        \
    "vldrw.32 q4, [r1], #32\n\tvqrdmulh.s32 q6, q6, q4\n\tvqrdmulh.s32 q7, q7, q4\n\t"                           \
    "vrshl.s32 q6, q6, q5\n\tvrshl.s32 q7, q7, q5\n\tvqmovnb.s32 q6, q6\n\tvqmovnt.s32 q6, q7\n\t"              \
    "vqmovunb.s16 q6, q6\n\tvadd.i8 q6, q6, r11\n\t"                                                             \
    "vstrb.32 q6, [r5], #4\n\tvshr.u32 q6, q6, #16\n\tvstrb.32 q6, [r7], #4\n\t"                                \
    "cmp r1, r3\n\tbne 1b\n\tvpop {d8-d15}\n\tpop {r4-r11, pc}"

static SQZ_NAKED void short_mve_27(const sqz_mve_tile *tile __attribute__((unused))) {
    __asm__("push {r4-r11, lr}\n\tvpush {d8-d15}\n\t" FOURS(11, 124));
}

static SQZ_NAKED void short_mve_32(const sqz_mve_tile *tile __attribute__((unused))) {
    __asm__("push {r4-r11, lr}\n\tvpush {d8-d15}\n\t" FOURS(16, 144));
}

static void fours(const sqz_mve_tile *tile) {
    (tile->tail == VECTOR ? short_mve_32 : short_mve_27)(tile);
}

/* Three rows of nine inputs of two pixels, `step` bytes apart, to places 32 bytes apart. */
static void copy_nines(int8_t *to, const int8_t *a, const int8_t *b, const int8_t *c, int step) {
    __asm__ volatile("vctp.8 %[nine]\n\t"
                     "vpsttt\n\tvldrbt.8 q0, [%[a]]\n\tvldrbt.8 q1, [%[b]]\n\tvldrbt.8 q2, [%[c]]\n\t"
                     "vpsttt\n\tvstrbt.8 q0, [%[to]]\n\tvstrbt.8 q1, [%[to], #9]\n\tvstrbt.8 q2, [%[to], #18]\n\t"
                     "add %[a], %[step]\n\tadd %[b], %[step]\n\tadd %[c], %[step]\n\t"
                     "vpsttt\n\tvldrbt.8 q0, [%[a]]\n\tvldrbt.8 q1, [%[b]]\n\tvldrbt.8 q2, [%[c]]\n\t"
                     "vpsttt\n\tvstrbt.8 q0, [%[to], #32]\n\tvstrbt.8 q1, [%[to], #41]\n\tvstrbt.8 q2, [%[to], #50]"
                     : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c)
                     : [to] "r"(to), [step] "r"(step), [nine] "r"(9)
                     : "q0", "q1", "q2", "memory");
}

#else

static void copy_nines(int8_t *to, const int8_t *a, const int8_t *b, const int8_t *c, int step) {
    for (unsigned i = 0; i < SQZ_MVE_PIXELS; ++i, to += 2 * VECTOR, a += step, b += step, c += step) {
        memcpy(to, a, 9);
        memcpy(to + 9, b, 9);
        memcpy(to + 18, c, 9);
    }
}

static int8_t value(const sqz_mve_tile *tile, const int8_t *record, unsigned c, const int8_t *inputs) {
    const int8_t *const weights = sqz_record_weights(record, GROUP);
    int32_t sum = sqz_record_bias(record, c);
    for (unsigned k = 0; k < tile->count; ++k) {
        sum += weights[k < VECTOR ? c * VECTOR + k : GROUP * VECTOR + c * tile->tail + k - VECTOR] * inputs[k];
    }
    return sqz_record_requantize(&tile->window.conv->requant, record, GROUP, GROUP * tile->count, c, sum);
}

static void fours(const sqz_mve_tile *tile) {
    for (unsigned o = 0; tile->record + o / GROUP * tile->four_bytes != tile->end; ++o) {
        const int8_t *const record = tile->record + o / GROUP * tile->four_bytes;
        tile->first[o] = value(tile, record, o % GROUP, tile->inputs[0]);
        tile->second[o] = value(tile, record, o % GROUP, tile->inputs[1]);
    }
}

#endif

/* The last place of a window, from the image's start of a row, where it and the next pixel's are three whole rows of nine
 * inputs; negative if there is none. */
static int last_nines(const sqz_window *window) {
    const int inside = window->end - window->step - 9, pair = sqz_window_start(window, window->out_width) - 2 * window->step;
    return window->bytes != 9 ? -1 : inside < pair ? inside : pair;
}

void sqz_conv_short_row_mve(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    int8_t *pixel = rows->out;
    sqz_mve_tile tile;
    sqz_mve_begin(&tile, conv, rows);
    const sqz_window *window = &tile.window;
    const int8_t *const *in = window->in;
    const int last = last_nines(window), step = window->step;
    const unsigned down = window->row_step, stride = conv->out_stride, width = conv->out_width;
    int start = sqz_window_start(window, 0);
    tile.record = conv->weights;
    tile.end = tile.record + conv->out_channels / GROUP * tile.four_bytes;
    tile.inputs[0] = tile.patch;
    tile.inputs[1] = tile.patch + 2 * VECTOR;
    for (unsigned x = 0; x < width; x += SQZ_MVE_PIXELS, pixel += 2 * stride, start += 2 * step) {
        if (start >= 0 && start <= last) {
            copy_nines(tile.patch, in[0] + start, in[down] + start, in[2 * down] + start, step);
        } else {
            sqz_mve_fill(&tile, x);
        }
        tile.first = pixel;
        tile.second = x + 1 < width ? pixel + stride : pixel;
        fours(&tile);
    }
}
