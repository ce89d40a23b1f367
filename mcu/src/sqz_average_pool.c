/* AVERAGE_POOL_2D, with all rows of the window at once or one at a time. Only values inside the image are averaged. */
#include "sqz_add_pixels.h"
#include "sqz_requantize.h"
#include <string.h>

#define AT_ONCE 16u /* channels whose sums are kept on the stack */

/* The columns of output pixel x that lie inside the row: `first`, and returned how many. */
static unsigned columns(const sqz_pool *pool, unsigned x, unsigned *first) {
    const int start = (int)(x * pool->stride_w) - pool->pad_left;
    const int end = start + pool->kernel_w, from = start < 0 ? 0 : start;
    *first = (unsigned)from;
    return (unsigned)((end > pool->in_width ? pool->in_width : end) - from);
}

/* sums / pixels, halves away from zero. */
static void average(const sqz_pool *pool, const int32_t *sums, int pixels, unsigned count, int8_t *out) {
    for (unsigned c = 0; c < count; ++c) {
        const int32_t half = sums[c] > 0 ? pixels / 2 : -(pixels / 2);
        out[c] = sqz_clamp((sums[c] + half) / pixels, pool->lowest, pool->highest);
    }
}

/* Channels from `c` of output pixel x. */
static void average_some(const sqz_pool *pool, const sqz_rows *rows, unsigned x, unsigned c, unsigned count) {
    int32_t sums[AT_ONCE] = {0};
    unsigned first;
    const unsigned across = columns(pool, x, &first);
    int down = 0;
    for (unsigned k = 0; k < pool->kernel_h; ++k) {
        if (rows->in[k]) {
            sqz_add_pixels(rows->in[k] + (size_t)first * pool->channels + c, across, pool->channels, count, sums);
            ++down;
        }
    }
    average(pool, sums, (int)across * down, count, rows->out + (size_t)x * pool->out_stride + c);
}

void sqz_average_pool_row(const void *params, const sqz_rows *rows) {
    const sqz_pool *pool = params;
    for (unsigned x = 0; x < pool->out_width; ++x) {
        for (unsigned c = 0; c < pool->channels; c += AT_ONCE) {
            const unsigned left = pool->channels - c;
            average_some(pool, rows, x, c, left < AT_ONCE ? left : AT_ONCE);
        }
    }
}

/* Adds the row's part of output pixel x to the window's sums; with the last row turns them into averages. */
static void add_pixel(const sqz_pool *pool, const sqz_rows *rows, unsigned x, int rows_before) {
    unsigned first;
    const unsigned across = columns(pool, x, &first), channels = pool->channels;
    int32_t *sums = (int32_t *)rows->state + (size_t)x * channels;
    if (!rows_before) {
        memset(sums, 0, channels * sizeof *sums);
    }
    sqz_add_pixels(rows->in[0] + (size_t)first * channels, across, channels, channels, sums);
    if (rows->out) {
        average(pool, sums, (int)across * (rows_before + 1), channels, rows->out + (size_t)x * pool->out_stride);
    }
}

void sqz_average_pool_window(const void *params, const sqz_rows *rows) {
    const sqz_pool *pool = params;
    const int phase = (rows->y + pool->pad_top) % pool->stride_h; /* row within the window */
    const int rows_before = phase < rows->y ? phase : rows->y;    /* of this window and inside the image */
    for (unsigned x = 0; x < pool->out_width && phase < pool->kernel_h; ++x) {
        add_pixel(pool, rows, x, rows_before);
    }
}
