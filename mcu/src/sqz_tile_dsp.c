#include "sqz_tile_dsp.h"
#include "sqz_fours_dsp.h"

SQZ_FOR_SIZE

/* Of the code of sqz_dsp_fours. */
#define STEPS 16u /* in a round */
#define STEP_BYTES 48u

/* Leaves out kernel rows above and below the image, if not all are. */
static SQZ_CODE void leave_out(sqz_dsp_tile *tile) {
    sqz_window *const window = &tile->window;
    const sqz_conv *const conv = window->conv;
    const unsigned weights = 4 * window->bytes;
    for (; window->rows > 1 && !*window->in; --window->rows, window->in += window->row_step) {
        tile->before += weights;
    }
    for (; window->rows > 1 && !window->in[(window->rows - 1) * window->row_step]; --window->rows) {
        tile->after += weights;
    }
    if (conv->dilation_w == 1 && *window->in) {
        window->end = conv->in_width * conv->in_channels;
    }
}

void sqz_dsp_begin(sqz_dsp_tile *tile, const sqz_conv *conv, const sqz_rows *rows, int all_rows) {
    const sqz_requant *to = &conv->requant;
    unsigned pairs = sqz_dsp_pairs(conv);
    sqz_window_begin(&tile->window, conv, rows);
    tile->before = tile->after = 0;
    tile->four_bytes = (unsigned)sqz_record_bytes(to, SQZ_DSP_FOUR, 8 * pairs);
    if (!all_rows && tile->window.bytes % 4 == 0) {
        leave_out(tile);
        pairs = tile->window.rows * tile->window.bytes / 2;
    }
    tile->patch = rows->scratch;
    tile->patch_end = tile->patch + pairs * SQZ_DSP_PIXELS;
    tile->patch_end[-1] = tile->patch_end[-2] = 0; /* what makes odd inputs even is never written to again */
    tile->skip = (0u - pairs) % STEPS * STEP_BYTES;
    tile->odd = 2 * to->zero_point + 1;
    tile->usual = to->step && to->zero_point == -128;
    tile->relu = to->lowest == to->zero_point;
    tile->multipliers = to->step;
    tile->pairs = pairs;
    tile->centre = (uint32_t)(uint16_t)-conv->input_zero_point * 0x10001u;
}

#if defined(SQZ_DSP)
/* One pair of inputs. r8: weights, r9: patch. */
#define STEP "ldrd r10, r11, [r8], #8\n\tldrd r12, lr, [r9], #8\n\t" SQZ_SUM_PAIR
#define FOUR_STEPS STEP STEP STEP STEP

SQZ_NAKED void sqz_dsp_fours(sqz_dsp_tile *tile __attribute__((unused))) {
    __asm__("push {r4-r11, lr}\n\tpush {r0}\n\t" SQZ_LOAD_TILE "push {r1-r12}\n\t" SQZ_TILE_LOADED
            "1:\tldmia r8, {r0, r2, r4, r6}\n\tldmia r8!, {r1, r3, r5, r7}\n\t"
            "add r8, r8, r11\n\tadd pc, r10\n\tnop\n"
            "2:\t" FOUR_STEPS FOUR_STEPS FOUR_STEPS FOUR_STEPS
            "ldr r10, [sp, #24]\n\tcmp r9, r10\n\tbne.w 2b\n\tldr r10, [sp, #28]\n\tadd r8, r8, r10\n\t"
            SQZ_PUT_FOURS("r8"));
}

#else

void sqz_dsp_fours(sqz_dsp_tile *tile) {
    for (; tile->record != tile->end; tile->record += tile->four_bytes) {
        int32_t sum[8];
        sqz_start_four(tile->record, sum);
        for (unsigned k = 0; k < tile->pairs; ++k) {
            const int8_t *weights = sqz_record_weights(tile->record, SQZ_DSP_FOUR) + tile->before;
            sqz_sum_pair(sum, weights + 8 * k, tile->patch + SQZ_DSP_PIXELS * k);
        }
        sqz_put_four(tile, sum, tile->before + 8 * (size_t)tile->pairs + tile->after);
    }
}

#endif
