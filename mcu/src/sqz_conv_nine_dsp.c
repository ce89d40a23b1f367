/* CONV_2D of 3 x 3 over three channels, as of a picture, for processors with SMLAD; the output's channels are groups of four.
 * The order of inputs is that of sqz_tile_dsp.h: eight of each kernel row, then the ninth of each. */
#include "sqz_dsp.h"
#include "sqz_tile_dsp.h"

#define KERNEL_ROWS 3u
#define KERNEL_ROW 9 /* bytes */

/* The inputs of two pixels: where the first one's lie in each kernel row. The assembly knows the order. */
typedef struct nine {
    uint32_t *to;
    int32_t step; /* bytes from the first pixel's inputs to the second's */
    uint32_t centre;
    const int8_t *rows[KERNEL_ROWS];
} nine;

#if defined(SQZ_DSP)

_Static_assert(offsetof(nine, rows) == 12, "the assembly's rows");

/* A kernel row; r0: where to, r1: step, r2: centre; `first` and r12: both pixels' inputs. */
#define FOUR(first, at)                                                                         \
    "ldr r10, [" first ", #" at "]\n\tldr r11, [r12, #" at "]\n\t"                               \
    "sxtab16 r8, r2, r10\n\tsxtab16 r9, r2, r11\n\t"                                            \
    "sxtab16 r10, r2, r10, ror #8\n\tsxtab16 r11, r2, r11, ror #8\n\tstmia r0!, {r8-r11}\n\t"
#define ROW(first, ninth, other) \
    "add r12, " first ", r1\n\t" FOUR(first, "0") FOUR(first, "4") "ldrsb " ninth ", [" first ", #8]\n\tldrsb " other ", [r12, #8]\n\t"

/* The ninth inputs of rows 0 and 1 make a word, that of row 2 another, whose upper half no weight meets. */
static SQZ_NAKED void nine_dsp_widen(const nine *at __attribute__((unused))) {
    __asm__("push {r4-r11, lr}\n\tldmia r0, {r0-r5}\n\t"
            ROW("r3", "r6", "r7") ROW("r4", "r3", "lr") ROW("r5", "r10", "r11")
            "pkhbt r8, r6, r3, lsl #16\n\tpkhbt r9, r7, lr, lsl #16\n\t"
            "sadd16 r8, r8, r2\n\tsadd16 r9, r9, r2\n\tsadd16 r10, r10, r2\n\tsadd16 r11, r11, r2\n\t"
            "stmia r0, {r8-r11}\n\tpop {r4-r11, pc}");
}

#else

static uint32_t two(int a, int b) {
    return (uint16_t)a | (uint32_t)(uint16_t)b << 16;
}

static void nine_dsp_widen(const nine *at) {
    uint32_t *to = at->to;
    for (unsigned y = 0; y < KERNEL_ROWS; ++y) {
        to = sqz_widen(to, at->rows[y], at->rows[y] + at->step, at->rows[y] + 8, at->centre);
    }
    for (unsigned pixel = 0; pixel < SQZ_DSP_PIXELS; ++pixel, ++to) {
        const int ninth = 8 + (int)pixel * at->step;
        to[0] = sqz_add2(at->centre, two(at->rows[0][ninth], at->rows[1][ninth]));
        to[SQZ_DSP_PIXELS] = sqz_add2(at->centre, two(at->rows[2][ninth], 0));
    }
}

#endif

/* Inputs of which some lie outside the image: they are copied together. */
static SQZ_NOINLINE void copy_edge(const sqz_dsp_tile *tile, nine *at, int start) {
    const sqz_window *window = &tile->window;
    int8_t *to = (int8_t *)tile->patch_end;
    for (unsigned y = 0; y < KERNEL_ROWS; ++y, to += KERNEL_ROW + at->step) {
        at->rows[y] = to;
        sqz_window_run(window->conv, window->in[y * window->row_step], start, KERNEL_ROW + at->step, to);
    }
}

void sqz_conv_nine_row_dsp(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    const unsigned stride = conv->out_stride;
    int8_t *pixel = rows->out;
    sqz_dsp_tile tile;
    sqz_dsp_begin(&tile, conv, rows, 0);
    const unsigned row_step = tile.window.row_step;
    const int8_t *const a = rows->in[0], *const b = rows->in[row_step], *const c = rows->in[2 * row_step];
    const int last = tile.window.end - KERNEL_ROW;
    nine at = {.to = tile.patch, .step = tile.window.step, .centre = tile.centre};
    int start = -tile.window.before;
    tile.end = conv->weights + conv->out_channels / 4 * tile.four_bytes;
    for (unsigned x = 0; x < conv->out_width; x += SQZ_DSP_PIXELS, pixel += SQZ_DSP_PIXELS * stride) {
        const int both = x + 1 < conv->out_width;
        at.step = both ? tile.window.step : 0;
        if (start >= 0 && start + at.step <= last) {
            at.rows[0] = a + start;
            at.rows[1] = b + start;
            at.rows[2] = c + start;
        } else {
            copy_edge(&tile, &at, start);
        }
        nine_dsp_widen(&at);
        start += (int)SQZ_DSP_PIXELS * tile.window.step;
        tile.record = conv->weights;
        tile.first = pixel;
        tile.second = both ? pixel + stride : pixel;
        sqz_dsp_fours(&tile);
    }
}
