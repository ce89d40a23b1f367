/* MAX_POOL_2D, with all rows of the window at once or one at a time. */
#include "sqz_max.h"
#include "sqz_requantize.h"

/* One pass over a row: the largest value of each output pixel's columns goes to `keep`; the larger of it and `with`
 * goes to `to`. `with` and `keep` may be null; `with` has the layout of `to` where they are the same, else of `keep`,
 * [out_width, channels]. `to` may be the row itself: pixel x is written when no later pixel needs what lies there. */
typedef struct pass {
    const int8_t *with;
    int8_t *keep, *to;
    unsigned with_stride, to_stride;
} pass;

/* The columns of output pixel x that lie inside the row: `first`, and returned how many. */
static unsigned columns(const sqz_pool *pool, unsigned x, unsigned *first) {
    const int start = (int)(x * pool->stride_w) - pool->pad_left;
    const int end = start + pool->kernel_w;
    *first = (unsigned)(start < 0 ? 0 : start);
    return (unsigned)(end > pool->in_width ? pool->in_width : end) - *first;
}

static void sweep_pixel(const pass *p, const int8_t *in, unsigned count, unsigned channels, unsigned x) {
    const int8_t *with = p->with ? p->with + (size_t)x * p->with_stride : NULL;
    int8_t *keep = p->keep ? p->keep + (size_t)x * channels : NULL;
    int8_t *to = p->to + (size_t)x * p->to_stride;
    unsigned c = 0;
    for (; c + SQZ_MAX_LANES <= channels; c += SQZ_MAX_LANES) {
        sqz_lanes largest = sqz_lanes_load(in + c);
        for (unsigned k = 1; k < count; ++k) {
            largest = sqz_lanes_max(largest, sqz_lanes_load(in + (size_t)k * channels + c));
        }
        const sqz_lanes both = with ? sqz_lanes_max(largest, sqz_lanes_load(with + c)) : largest;
        if (keep) {
            sqz_lanes_store(keep + c, largest);
        }
        sqz_lanes_store(to + c, both);
    }
    for (; c < channels; ++c) {
        int8_t largest = in[c];
        for (unsigned k = 1; k < count; ++k) {
            largest = sqz_larger(largest, in[(size_t)k * channels + c]);
        }
        const int8_t both = with ? sqz_larger(largest, with[c]) : largest;
        if (keep) {
            keep[c] = largest;
        }
        to[c] = both;
    }
}

static void sweep(const sqz_pool *pool, const int8_t *row, const pass *p) {
    for (unsigned x = 0; x < pool->out_width; ++x) {
        unsigned first;
        const unsigned count = columns(pool, x, &first);
        sweep_pixel(p, row + (size_t)first * pool->channels, count, pool->channels, x);
    }
}

/* The fused activation, where there is one. */
static void clamp(const sqz_pool *pool, int8_t *out) {
    if (pool->lowest == INT8_MIN && pool->highest == INT8_MAX) {
        return;
    }
    for (unsigned x = 0; x < pool->out_width; ++x, out += pool->out_stride) {
        for (unsigned c = 0; c < pool->channels; ++c) {
            out[c] = sqz_clamp(out[c], pool->lowest, pool->highest);
        }
    }
}

void sqz_max_pool_row(const void *params, const sqz_rows *rows) {
    const sqz_pool *pool = params;
    pass p = {.to = rows->out, .to_stride = pool->out_stride, .with_stride = pool->out_stride};
    for (unsigned k = 0; k < pool->kernel_h; ++k) {
        if (rows->in[k]) {
            sweep(pool, rows->in[k], &p);
            p.with = rows->out;
        }
    }
    clamp(pool, rows->out);
}

void sqz_max_pool_window(const void *params, const sqz_rows *rows) {
    const sqz_pool *pool = params;
    const int phase = (rows->y + pool->pad_top) % pool->stride_h; /* row within the newest window */
    if (phase >= pool->kernel_h) {
        return; /* between two windows */
    }
    /* With kernel_h = stride_h + 1 the row that begins a window is the last of the window before. */
    const int has_previous = pool->kernel_h > pool->stride_h && rows->y + pool->pad_top >= pool->stride_h;
    const int ends_previous = rows->out && phase == 0 && has_previous;
    const int is_first = rows->y == 0 || (phase == 0 && !ends_previous); /* of what it is compared with */
    const pass p = {
        .with = is_first ? NULL : rows->state,
        .with_stride = pool->channels,
        .keep = ends_previous ? rows->state : NULL,
        .to = rows->out ? rows->out : rows->state,
        .to_stride = rows->out ? pool->out_stride : pool->channels,
    };
    sweep(pool, rows->in[0], &p);
    if (rows->out) {
        clamp(pool, rows->out);
    }
}
