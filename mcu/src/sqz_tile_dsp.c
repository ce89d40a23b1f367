#include "sqz_tile_dsp.h"
#include "sqz_fours_dsp.h"

#include <string.h>

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
    tile->four_bytes = (unsigned)sqz_record_bytes(to, SQZ_DSP_FOUR, 8 * pairs);
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
/* One pair of inputs. r8: weights, r9: patch. */
#define STEP "ldrd r10, r11, [r8], #8\n\tldrd r12, lr, [r9], #8\n\t" SQZ_SUM_PAIR
#define FOUR_STEPS STEP STEP STEP STEP

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
            SQZ_PUT_FOURS("r8"));
}

#else

void sqz_dsp_fours(sqz_dsp_tile *tile) {
    for (; tile->record != tile->end; tile->record += tile->four_bytes) {
        int32_t sum[8];
        sqz_start_four(tile->record, sum);
        for (unsigned k = 0; k < tile->pairs; ++k) {
            sqz_sum_pair(sum, sqz_record_weights(tile->record, SQZ_DSP_FOUR) + 8 * k, tile->patch + SQZ_DSP_PIXELS * k);
        }
        sqz_put_four(tile, sum, 8 * (size_t)tile->pairs);
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
