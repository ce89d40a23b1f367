/* AVERAGE_POOL_2D, with all rows of the window at once or one at a time. Only values inside the image are averaged. */
#include "sqz_requantize.h"

/* The columns of output pixel x that lie inside the row: `first`, and returned how many. */
static int columns(const sqz_pool *pool, unsigned x, int *first) {
    const int start = (int)(x * pool->stride_w) - pool->pad_left;
    const int end = start + pool->kernel_w;
    *first = start < 0 ? 0 : start;
    return (end > pool->in_width ? pool->in_width : end) - *first;
}

static int32_t sum_of(const int8_t *in, int count, unsigned step) {
    int32_t sum = 0;
    for (int k = 0; k < count; ++k, in += step) {
        sum += *in;
    }
    return sum;
}

/* sum / count, halves away from zero. */
static int8_t average(const sqz_pool *pool, int32_t sum, int count) {
    const int32_t half = sum > 0 ? count / 2 : -(count / 2);
    return sqz_clamp((sum + half) / count, pool->lowest, pool->highest);
}

static void average_pixel(const sqz_pool *pool, const sqz_rows *rows, unsigned x) {
    int first;
    const int across = columns(pool, x, &first);
    int8_t *out = rows->out + (size_t)x * pool->out_stride;
    for (unsigned c = 0; c < pool->channels; ++c) {
        int32_t sum = 0;
        int down = 0;
        for (unsigned k = 0; k < pool->kernel_h; ++k) {
            if (rows->in[k]) {
                sum += sum_of(rows->in[k] + (size_t)first * pool->channels + c, across, pool->channels);
                ++down;
            }
        }
        out[c] = average(pool, sum, across * down);
    }
}

void sqz_average_pool_row(const void *params, const sqz_rows *rows) {
    const sqz_pool *pool = params;
    for (unsigned x = 0; x < pool->out_width; ++x) {
        average_pixel(pool, rows, x);
    }
}

/* Adds the row's part of output pixel x to the window's sums; with the last row turns them into averages. */
static void add_pixel(const sqz_pool *pool, const sqz_rows *rows, unsigned x, int rows_before) {
    int first;
    const int across = columns(pool, x, &first);
    const int8_t *in = rows->in[0] + (size_t)first * pool->channels;
    int32_t *sums = (int32_t *)rows->state + (size_t)x * pool->channels;
    for (unsigned c = 0; c < pool->channels; ++c) {
        const int32_t sum = (rows_before ? sums[c] : 0) + sum_of(in + c, across, pool->channels);
        if (rows->out) {
            rows->out[(size_t)x * pool->out_stride + c] = average(pool, sum, across * (rows_before + 1));
        } else {
            sums[c] = sum;
        }
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
