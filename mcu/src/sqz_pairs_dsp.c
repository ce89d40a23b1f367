#include "sqz_pairs_dsp.h"
#include "sqz_cursor_dsp.h"

/* Rows of a window that lies inside the image, whose inputs of two pixels become words. The assembly knows the order. */
typedef struct in_place {
    uint32_t *to;
    const int8_t *const *in;
    uint32_t row_step;   /* bytes from one pointer in `in` to the next */
    int32_t first, step; /* bytes from the image's row to the first pixel's inputs, from those to the second's */
    uint32_t bytes;      /* of a kernel row */
    uint32_t rows;
    uint32_t centre;
} in_place;

#if defined(SQZ_DSP)

#define AT(field, word) _Static_assert(offsetof(in_place, field) == 4 * (word), "the assembly's " #field)
AT(first, 3);
AT(centre, 7);

/* r0: the end of a kernel row, r1: where to, r2: `in`, r7: the first pixel's inputs, r8: row_step, r9: first, r10: step, r11:
 * bytes, r12: rows, lr: centre. */
static SQZ_NAKED void pairs_dsp_widen(const in_place *at __attribute__((unused))) {
    __asm__("push {r4-r11, lr}\n\tldmia r0, {r1, r2, r8-r12, lr}\n"
            "1:\tldr r7, [r2]\n\tadd r2, r2, r8\n\tadd r7, r7, r9\n\tadd r0, r7, r11\n"
            "2:\tldr r6, [r7, r10]\n\tldr r5, [r7], #4\n\tcmp r7, r0\n\t"
            "sxtab16 r3, lr, r5\n\tsxtab16 r4, lr, r6\n\tsxtab16 r5, lr, r5, ror #8\n\tsxtab16 r6, lr, r6, ror #8\n\t"
            "stmia r1!, {r3-r6}\n\tbne 2b\n\t"
            "subs r12, r12, #1\n\tbne 1b\n\tpop {r4-r11, pc}");
}

#else

static void pairs_dsp_widen(const in_place *at) {
    uint32_t *to = at->to;
    for (unsigned y = 0; y < at->rows; ++y) {
        const int8_t *const first = at->in[y * at->row_step / sizeof(void *)] + at->first;
        to = sqz_widen(to, first, first + at->step, first + at->bytes, at->centre);
    }
}

#endif

/* What both pixels see of a kernel row, copied together: the columns of each if they do not lie side by side. */
static SQZ_NOINLINE void copy_row(const sqz_conv *conv, const int8_t *row, int start, int step, int8_t *to) {
    const int channels = conv->in_channels, bytes = conv->kernel_w * channels;
    if (conv->dilation_w == 1) {
        sqz_window_run(conv, row, start, bytes + step, to);
        return;
    }
    int8_t *const other = to + bytes;
    for (int at = start; to != other + bytes; to += channels, at += conv->dilation_w * channels) {
        at = to == other ? start + step : at;
        sqz_window_run(conv, row, at, channels, to);
    }
}

/* Both pixels, the second `step` bytes further on, where kernel rows are no groups of four, are dilated, or lie outside the
 * image in part. */
static SQZ_NOINLINE void widen_rest(const sqz_dsp_tile *tile, int start, int step) {
    const sqz_window *window = &tile->window;
    const sqz_conv *conv = window->conv;
    const int inside = sqz_window_inside(window, start, start + step), bytes = (int)window->bytes;
    const int between = conv->dilation_w == 1 ? step : bytes;
    int8_t *const edge = (int8_t *)tile->patch_end;
    sqz_cursor at = sqz_begin_patch(tile);
    for (unsigned y = 0; y < window->rows; ++y) {
        const int8_t *const row = window->in[y * window->row_step], *const first = inside ? row + start : edge;
        if (!inside) {
            copy_row(conv, row, start, step, edge);
        }
        sqz_widen_row(&at, first, first + between, window->bytes, tile->centre);
    }
}

static inline in_place begin(const sqz_dsp_tile *tile, unsigned x) {
    const sqz_window *const window = &tile->window;
    return (in_place){
        .to = tile->patch,
        .in = window->in,
        .row_step = window->row_step * (uint32_t)sizeof(void *),
        .first = sqz_window_start(window, x),
        .bytes = window->bytes,
        .rows = window->rows,
        .centre = tile->centre,
    };
}

/* The last place in a row where a window lies inside, if its kernel rows are groups of four. */
static inline int last_inside(const sqz_window *window) {
    return window->bytes % 4 ? -1 : window->end - (int)window->bytes;
}

static inline void fill(const sqz_dsp_tile *tile, const in_place *at, int last) {
    if (at->first >= 0 && at->first + at->step <= last) {
        pairs_dsp_widen(at);
    } else {
        widen_rest(tile, at->first, at->step);
    }
}

void sqz_dsp_fill_pair(const sqz_dsp_tile *tile, unsigned x) {
    in_place at = begin(tile, x);
    at.step = x + 1 < tile->window.out_width ? tile->window.step : 0;
    fill(tile, &at, last_inside(&tile->window));
}

void sqz_dsp_put_pairs(sqz_dsp_tile *tile, unsigned count, int8_t *out) {
    const sqz_conv *const conv = tile->window.conv;
    const int8_t *const records = conv->weights;
    const unsigned stride = conv->out_stride;
    const int last = last_inside(&tile->window), twice = (int)SQZ_DSP_PIXELS * tile->window.step;
    in_place at = begin(tile, 0);
    at.step = tile->window.step;
    tile->end = records + conv->out_channels / 4 * tile->four_bytes;
    for (; count; count -= count > 1 ? 2 : 1) {
        if (count == 1) {
            at.step = 0;
        }
        fill(tile, &at, last);
        at.first += twice;
        tile->record = records;
        tile->first = out;
        tile->second = count == 1 ? out : out + stride;
        out += SQZ_DSP_PIXELS * stride;
        sqz_dsp_fours(tile);
    }
}
