#include "sqz_one_dsp.h"
#include "sqz_dsp.h"
#include "sqz_record.h"
#include "sqz_sums_dsp.h"

#define GROUP 4u /* channels */

/* Of the code of one_dsp_fours. */
#define STEPS 4u /* in a round */
#define STEP_BYTES 56u

#if defined(SQZ_DSP)

/* Two pairs of inputs, r10 and r11. r8: weights, r9: patch; r0, r2: sums of channels 0 and 2; r1, r3: of 0 and 1, of
 * 2 and 3 together. */
#define STEP                                                                          \
    "ldmia r8!, {r4-r7}\n\tldrd r10, r11, [r9], #8\n\t"                               \
    PAIR("r4", "r5", "r10") PAIR("r6", "r7", "r11")
#define PAIR(first, second, inputs)                                                   \
    "smlad r1, " first ", " inputs ", r1\n\tsmlad r3, " second ", " inputs ", r3\n\t" \
    "sxtb16 " first ", " first "\n\tsxtb16 " second ", " second "\n\t"                \
    "smlad r0, " first ", " inputs ", r0\n\tsmlad r2, " second ", " inputs ", r2\n\t"

/* Twice a sum to int8, as in sqz_tile_dsp.c. */
#define SCALE(x, multiplier) "lsl lr, r9, r10\n\tsmmlar " x ", " x ", " multiplier ", lr\n\t" SATURATE(x)
#define SCALE_AWAY(x, multiplier)                                                     \
    "lsl lr, r9, r10\n\tsmmlar r12, " x ", " multiplier ", lr\n\tadd " x ", r12, " x ", asr #31\n\t" SATURATE(x)
#define SATURATE(x) "asr " x ", " x ", r10\n\tssat " x ", #8, " x ", asr #1\n\tlsr r10, r10, #8\n\t"

/* As sqz_dsp_fours, of one pixel; the words of the tile are copied to the stack. */
static SQZ_NAKED void one_dsp_fours(const sqz_dsp_tile *tile __attribute__((unused))) {
    __asm__("push {r4-r11, lr}\n\tldmia r0, {r1-r12, lr}\n\tpush {r1-r3}\n\tpush {r4-r12}\n\tmov r8, lr\n"
            "1:\tldmia r8!, {r0-r3}\n\tldmia sp, {r9-r12}\n\tadd r8, r8, r11\n\tadd pc, r10\n\tnop\n"
            "2:\t" STEP STEP STEP STEP
            "cmp r9, r12\n\tbne 2b\n\t"
            "ldr lr, [sp, #16]\n\tadd r8, r8, lr\n\tldrd r9, r12, [sp, #20]\n\tldr r10, [r8], #4\n\t"
            "sub r1, r1, r0\n\tsub r3, r3, r2\n\t"
            "lsl r0, r0, #1\n\tlsl r2, r2, #1\n\tasr r1, r1, #7\n\tasr r3, r3, #7\n\t"
            "cmp r12, #0\n\tbeq 4f\n\tldmia r8!, {r4-r7}\n\t"
            SCALE("r0", "r4") SCALE("r1", "r5") SCALE("r2", "r6") SCALE("r3", "r7") "\n"
            "3:\tldr r4, [sp, #36]\n\tldr r5, [sp, #44]\n\t"
            "bfi r0, r1, #8, #8\n\tbfi r0, r2, #16, #8\n\tbfi r0, r3, #24, #8\n\t"
            "str r0, [r4], #4\n\tstr r4, [sp, #36]\n\tcmp r8, r5\n\tbne 1b\n\t"
            "add sp, #48\n\tpop {r4-r11, pc}\n"
            /* another zero point, or no multipliers */
            "4:\tldrd r11, r12, [sp, #28]\n\tcmp r11, #0\n\tbeq 5f\n\t"
            "bic r0, r0, r0, asr #31\n\tbic r1, r1, r1, asr #31\n\t"
            "bic r2, r2, r2, asr #31\n\tbic r3, r3, r3, asr #31\n"
            "5:\tmov.w r4, #0x40000000\n\tmov r5, r4\n\tmov r6, r4\n\tmov r7, r4\n\t"
            "cmp r12, #0\n\tbeq 6f\n\tldmia r8!, {r4-r7}\n"
            "6:\t" SCALE_AWAY("r0", "r4") SCALE_AWAY("r1", "r5") SCALE_AWAY("r2", "r6") SCALE_AWAY("r3", "r7")
            "b 3b");
}

#else

static void one_dsp_fours(const sqz_dsp_tile *tile) {
    const sqz_requant *to = &tile->window.conv->requant;
    const size_t bytes = tile->before + 8 * (size_t)tile->pairs + tile->after;
    int8_t *out = tile->first;
    for (const int8_t *record = tile->record; record != tile->end; record += tile->four_bytes, out += GROUP) {
        int32_t sums[GROUP];
        sqz_dsp_four_sums(sqz_record_weights(record, GROUP) + tile->before, tile->patch, tile->pairs, sums);
        for (unsigned c = 0; c < GROUP; c += 2) {
            const uint32_t bias = (uint32_t)sqz_record_bias(record, c), both = (uint32_t)sqz_record_bias(record, c + 1) - bias;
            out[c] = sqz_four_requantize(to, record, bytes, c, (int32_t)(bias + (uint32_t)sums[c]));
            out[c + 1] = sqz_four_requantize(to, record, bytes, c + 1, (int32_t)(both + ((uint32_t)sums[c + 1] << 8)) >> 8);
        }
    }
}

#endif

/* The window of output pixel x in one run of words. */
static void fill(const sqz_dsp_tile *tile, unsigned x) {
    const sqz_window *window = &tile->window;
    const int start = sqz_window_start(window, x), inside = sqz_window_inside(window, start, start);
    const uint32_t centre = tile->centre;
    int8_t *const edge = (int8_t *)tile->patch_end;
    uint32_t *to = tile->patch;
    for (unsigned y = 0; y < window->rows; ++y) {
        const int8_t *const row = window->in[y * window->row_step], *from = inside ? row + start : edge;
        if (!inside) {
            sqz_window_run(window->conv, row, start, (int)window->bytes, edge);
        }
        for (const int8_t *const end = from + window->bytes; from != end; from += 4) {
            const uint32_t word = sqz_load4(from), even = sqz_add_even_bytes(centre, word);
            *to++ = even;
            *to++ = sqz_add_odd_bytes(centre, word);
        }
    }
}

void sqz_dsp_one(sqz_dsp_tile *tile, unsigned x, unsigned channels, int8_t *out) {
    fill(tile, x);
    tile->patch_end = tile->patch + tile->pairs;
    tile->skip = (0u - tile->pairs / 2) % STEPS * STEP_BYTES;
    tile->first = out;
    tile->end = tile->record + channels / GROUP * tile->four_bytes;
    one_dsp_fours(tile);
}
