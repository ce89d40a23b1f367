#include "sqz_tile_dsp.h"
#include "sqz_dsp.h"
#include "sqz_record.h"

#include <string.h>

#define GROUP 4u /* channels */

/* Of the code of sqz_dsp_fours. */
#define STEPS 16u /* in a round */
#define STEP_BYTES 48u

void sqz_dsp_begin(sqz_dsp_tile *tile, const sqz_conv *conv, const sqz_rows *rows) {
    const sqz_requant *to = &conv->requant;
    sqz_window_begin(&tile->window, conv, rows);
    const unsigned pairs = sqz_dsp_pairs(conv);
    tile->patch = rows->scratch;
    tile->patch_end = tile->patch + pairs * SQZ_DSP_PIXELS;
    tile->patch_end[-1] = tile->patch_end[-2] = 0; /* what makes odd inputs even is never written to again */
    tile->skip = (0u - pairs) % STEPS * STEP_BYTES;
    tile->odd = 2 * to->zero_point + 1;
    tile->usual = to->step && to->zero_point == -128;
    tile->relu = to->lowest == to->zero_point;
    tile->multipliers = to->step;
    tile->pairs = pairs;
    tile->four_bytes = (unsigned)sqz_record_bytes(to, GROUP, 8 * pairs);
}

/* What makes the patch. */

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define HALF(i) ((i) ^ 1u)
#else
#define HALF(i) (i)
#endif

/* Where the next inputs go: those in groups of four, and as int16 those left over. */
typedef struct cursor {
    uint32_t *fours;
    int8_t *singles;
    unsigned count; /* of singles */
} cursor;

static void store_half(int8_t *halves, unsigned i, int16_t value) {
    memcpy(halves + 2 * HALF(i), &value, sizeof value);
}

/* A kernel row's inputs of both pixels. */
static inline void widen_row(cursor *at, const int8_t *first, const int8_t *second, unsigned bytes) {
    const unsigned whole = bytes / 4 * 4;
    if (whole) {
        at->fours = sqz_widen(at->fours, first, second, first + whole);
    }
    for (unsigned i = whole; i < bytes; ++i, ++at->count) {
        const unsigned half = at->count / 2 * 4 + at->count % 2;
        store_half(at->singles, half, first[i]);
        store_half(at->singles, half + 2, second[i]);
    }
}

void sqz_dsp_fill(const sqz_dsp_tile *tile, unsigned x) {
    const sqz_window *window = &tile->window;
    const unsigned next = x + 1 < window->out_width ? x + 1 : x, bytes = window->bytes, rows = window->rows;
    const int start = sqz_window_start(window, x), step = next == x ? 0 : window->step;
    int8_t *edge = (int8_t *)tile->patch_end;
    cursor at = {tile->patch, (int8_t *)(tile->patch + rows * (bytes / 4 * 4)), 0};
    if (sqz_window_inside(window, start, start + step)) {
        const int8_t *const *in = window->in;
        for (unsigned row = 0; row < rows; ++row, in += window->row_step) {
            widen_row(&at, *in + start, *in + start + step, bytes);
        }
        return;
    }
    for (unsigned row = 0; row < rows; ++row) {
        sqz_window_copy(window, x, row, row + 1, edge);
        sqz_window_copy(window, next, row, row + 1, edge + bytes);
        widen_row(&at, edge, edge + bytes, bytes);
    }
}

/* What sums the patch. */

#if defined(SQZ_DSP)
#define AT(field, word) _Static_assert(offsetof(sqz_dsp_tile, field) == 4 * (word), "the assembly's " #field)
AT(record, 0);
AT(patch, 1);
AT(skip, 3);
AT(first, 4);
AT(end, 6);
AT(odd, 7);
AT(usual, 8);
AT(relu, 9);
AT(multipliers, 10);

/* One pair of inputs. r8: weights, r9: patch; sums of both pixels, r0, r1: of channel 0, r2, r3: of channels 0 and 1
 * together; r4 to r7: the same of channels 2 and 3. */
#define STEP                                                  \
    "ldrd r10, r11, [r8], #8\n\tldrd r12, lr, [r9], #8\n\t"   \
    "smlad r2, r10, r12, r2\n\tsmlad r3, r10, lr, r3\n\t"     \
    "smlad r6, r11, r12, r6\n\tsmlad r7, r11, lr, r7\n\t"     \
    "sxtb16 r10, r10\n\tsxtb16 r11, r11\n\t"                  \
    "smlad r0, r10, r12, r0\n\tsmlad r1, r10, lr, r1\n\t"     \
    "smlad r4, r11, r12, r4\n\tsmlad r5, r11, lr, r5\n\t"
#define FOUR_STEPS STEP STEP STEP STEP

/* Twice the sums of a channel, x and y, to int8. SMMLAR multiplies and adds the zero point and what rounds; the last bit
 * is shifted out while saturating. r9: tile->odd; low byte of r10: the shift to the right, less one. */
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
#define NEXT_MULTIPLIER "ldr r11, [r8], #4\n\t"
#define NEXT_SHIFT "lsr r10, r10, #8\n\t"

/* A channel's bytes to the first's words. */
#define JOIN(x, y, at) "bfi r0, " x ", #" at ", #8\n\tbfi r1, " y ", #" at ", #8\n\t"

/* The words of the tile are copied to the stack, from sp + 4 on. Where the zero point is -128 all that is negative
 * saturates, however it is rounded. */
SQZ_NAKED void sqz_dsp_fours(sqz_dsp_tile *tile __attribute__((unused))) {
    __asm__("push {r4-r11, lr}\n\tldmia r0, {r1-r11}\n\tpush {r0-r11}\n\tmov r8, r1\n"
            "1:\tldmia r8!, {r0, r2, r4, r6}\n\t"
            "add r2, r0, r2, lsl #8\n\tadd r6, r4, r6, lsl #8\n\t"
            "mov r1, r0\n\tmov r3, r2\n\tmov r5, r4\n\tmov r7, r6\n\t"
            "ldr r9, [sp, #8]\n\tldr r10, [sp, #16]\n\tadd pc, r10\n\tnop\n"
            "2:\t" FOUR_STEPS FOUR_STEPS FOUR_STEPS FOUR_STEPS
            "ldr r10, [sp, #12]\n\tcmp r9, r10\n\tbne.w 2b\n\t"
            "ldrd r9, r12, [sp, #32]\n\tldr r10, [r8], #4\n\tmvn r10, r10\n\t"
            "sub r2, r2, r0\n\tsub r3, r3, r1\n\tsub r6, r6, r4\n\tsub r7, r7, r5\n\t"
            "lsl r0, r0, #1\n\tlsl r1, r1, #1\n\tasr r2, r2, #7\n\tasr r3, r3, #7\n\t"
            "lsl r4, r4, #1\n\tlsl r5, r5, #1\n\tasr r6, r6, #7\n\tasr r7, r7, #7\n\t"
            "cmp r12, #0\n\tbeq.w 4f\n\t"
            "ldmia r8!, {r11, r12}\n\t"
            SCALE("r0", "r1", "r11") NEXT_SHIFT
            SCALE("r2", "r3", "r12") NEXT_SHIFT JOIN("r2", "r3", "8")
            "ldmia r8!, {r11, r12}\n\t"
            SCALE("r4", "r5", "r11") NEXT_SHIFT JOIN("r4", "r5", "16")
            SCALE("r6", "r7", "r12") JOIN("r6", "r7", "24") "\n"
            "3:\tldrd r2, r3, [sp, #20]\n\tstr r0, [r2], #4\n\tstr r1, [r3], #4\n\tstrd r2, r3, [sp, #20]\n\t"
            "ldr r4, [sp, #28]\n\tcmp r8, r4\n\tbne.w 1b\n\t"
            "ldr r0, [sp]\n\tstr r8, [r0]\n\tstrd r2, r3, [r0, #16]\n\tadd sp, #48\n\tpop {r4-r11, pc}\n"
            /* another zero point, or no multipliers */
            "4:\tldrd r11, r12, [sp, #40]\n\tcmp r11, #0\n\tbeq 5f\n\t"
            "bic r0, r0, r0, asr #31\n\tbic r1, r1, r1, asr #31\n\tbic r2, r2, r2, asr #31\n\t"
            "bic r3, r3, r3, asr #31\n\tbic r4, r4, r4, asr #31\n\tbic r5, r5, r5, asr #31\n\t"
            "bic r6, r6, r6, asr #31\n\tbic r7, r7, r7, asr #31\n"
            "5:\tcmp r12, #0\n\tbne.w 6f\n\tmov.w r11, #0x40000000\n\t"
            SCALE_AWAY("r0", "r1") NEXT_SHIFT
            SCALE_AWAY("r2", "r3") NEXT_SHIFT JOIN("r2", "r3", "8")
            SCALE_AWAY("r4", "r5") NEXT_SHIFT JOIN("r4", "r5", "16")
            SCALE_AWAY("r6", "r7") JOIN("r6", "r7", "24")
            "b.w 3b\n"
            "6:\t" NEXT_MULTIPLIER SCALE_AWAY("r0", "r1") NEXT_SHIFT
            NEXT_MULTIPLIER SCALE_AWAY("r2", "r3") NEXT_SHIFT JOIN("r2", "r3", "8")
            NEXT_MULTIPLIER SCALE_AWAY("r4", "r5") NEXT_SHIFT JOIN("r4", "r5", "16")
            NEXT_MULTIPLIER SCALE_AWAY("r6", "r7") JOIN("r6", "r7", "24")
            "b.w 3b");
}

#else

/* Adds one pair of inputs: channel 0 of both pixels, channels 0 and 1 together, then the same of channels 2 and 3. */
static void step(int32_t *sum, const int8_t *weights, const uint32_t *patch) {
    for (unsigned i = 0; i < GROUP; i += 2, weights += 4, sum += 4) {
        const uint32_t both = sqz_load4(weights), first = sqz_even_bytes(both);
        for (unsigned pixel = 0; pixel < SQZ_DSP_PIXELS; ++pixel) {
            sum[pixel] = sqz_smlad(first, patch[pixel], sum[pixel]);
            sum[2 + pixel] = sqz_smlad(both, patch[pixel], sum[2 + pixel]);
        }
    }
}

/* 256 * second + first, modulo 2^32, and back. */
static int32_t together(int32_t first, int32_t second) {
    return (int32_t)((uint32_t)first + ((uint32_t)second << 8));
}

static int32_t apart(int32_t both, int32_t first) {
    return (int32_t)((uint32_t)both - (uint32_t)first) >> 8;
}

static void put_four(sqz_dsp_tile *tile, const int32_t *sum) {
    const sqz_requant *to = &tile->window.conv->requant;
    const size_t bytes = 8 * tile->pairs;
    for (unsigned c = 0; c < GROUP; ++c) {
        const int32_t *s = sum + c / 2 * 4;
        const int32_t first = c % 2 ? apart(s[2], s[0]) : s[0], second = c % 2 ? apart(s[3], s[1]) : s[1];
        *tile->first++ = sqz_record_requantize(to, tile->record, GROUP, bytes, c, first);
        *tile->second++ = sqz_record_requantize(to, tile->record, GROUP, bytes, c, second);
    }
}

void sqz_dsp_fours(sqz_dsp_tile *tile) {
    for (; tile->record != tile->end; tile->record += tile->four_bytes) {
        const int32_t first = sqz_record_bias(tile->record, 0), third = sqz_record_bias(tile->record, 2);
        const int32_t second = together(first, sqz_record_bias(tile->record, 1));
        const int32_t fourth = together(third, sqz_record_bias(tile->record, 3));
        int32_t sum[] = {first, first, second, second, third, third, fourth, fourth};
        for (unsigned k = 0; k < tile->pairs; ++k) {
            step(sum, sqz_record_weights(tile->record, GROUP) + 8 * k, tile->patch + SQZ_DSP_PIXELS * k);
        }
        put_four(tile, sum);
    }
}

#endif

static void sum_pairs(int32_t *sum, const int8_t *weights, const uint32_t *patch, unsigned pairs) {
    for (; pairs; --pairs, patch += SQZ_DSP_PIXELS, weights += 4) {
        const uint32_t word = sqz_load4(weights), first = sqz_even_bytes(word), second = sqz_odd_bytes(word);
        sum[0] = sqz_smlad(first, patch[0], sum[0]);
        sum[1] = sqz_smlad(first, patch[1], sum[1]);
        sum[2] = sqz_smlad(second, patch[0], sum[2]);
        sum[3] = sqz_smlad(second, patch[1], sum[3]);
    }
}

void sqz_dsp_twos(sqz_dsp_tile *tile, unsigned channels) {
    const sqz_requant *to = &tile->window.conv->requant;
    const size_t bytes = 4 * tile->pairs;
    for (; channels; tile->record += sqz_record_bytes(to, 2, bytes)) {
        int32_t sum[4] = {0};
        sum_pairs(sum, sqz_record_weights(tile->record, 2), tile->patch, tile->pairs);
        for (unsigned i = 0; i < 4 && channels; ++i) {
            const int32_t with_bias = sum[i] + sqz_record_bias(tile->record, i / 2);
            int8_t **at = i % 2 ? &tile->second : &tile->first;
            *(*at)++ = sqz_record_requantize(to, tile->record, 2, bytes, i / 2, with_bias);
            channels -= i % 2;
        }
    }
}
