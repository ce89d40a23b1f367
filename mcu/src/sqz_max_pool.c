/* MAX_POOL_2D, with all rows of the window at once or one at a time. */
#include "sqz_max.h"
#include "sqz_requantize.h"

/* One pass over a row. Of the columns of each output pixel the largest values, and of these and `with` the larger:
 *
 *   FIRST   to = largest
 *   NEXT    to = larger of largest and with
 *   TURN    the same, and with = largest: the row ends one window and begins the next
 *
 * As many channels at once as there are lanes, for all pixels from left to right, then the next channels. So `to` may
 * be the row itself: a pixel's channels are written when no later pixel needs them. */
enum { FIRST, NEXT, TURN };

typedef struct pass {
    int8_t *with, *to;
    unsigned with_stride, to_stride; /* from one pixel to the next */
    unsigned whole_from, whole_to;   /* pixels all of whose columns, 2 or 3, lie inside the row */
} pass;

static inline void merge(int what, sqz_lanes largest, int8_t *with, int8_t *to, unsigned lanes) {
    if (what == FIRST) {
        sqz_lanes_store(to, largest, lanes);
        return;
    }
    const sqz_lanes both = sqz_lanes_max(largest, sqz_lanes_load(with, lanes));
    if (what == TURN) {
        sqz_lanes_store(with, largest, lanes);
    }
    sqz_lanes_store(to, both, lanes);
}

/* Output pixel x, whatever columns of it lie inside the row; `lanes` channels. */
static inline void sweep_pixel(int what, const sqz_pool *pool, const int8_t *row, const pass *p, unsigned x,
                               unsigned lanes) {
    const int start = (int)(x * pool->stride_w) - pool->pad_left, end = start + pool->kernel_w;
    int column = start < 0 ? 0 : start;
    const int stop = end > pool->in_width ? pool->in_width : end;
    const int8_t *in = row + (size_t)column * pool->channels;
    sqz_lanes largest = sqz_lanes_load(in, lanes);
    while (++column < stop) {
        in += pool->channels;
        largest = sqz_lanes_max(largest, sqz_lanes_load(in, lanes));
    }
    merge(what, largest, p->with + (size_t)x * p->with_stride, p->to + (size_t)x * p->to_stride, lanes);
}

/* Pixels `from` to `to` at an edge, or all of them where the kernel is neither 2 nor 3 wide. */
static SQZ_NOINLINE void sweep_edge(int what, const sqz_pool *pool, const int8_t *row, const pass *p, unsigned from,
                                    unsigned to) {
    for (unsigned x = from; x < to; ++x) {
        sweep_pixel(what, pool, row, p, x, SQZ_LANES);
    }
}

/* The channels that do not fill all lanes. */
static void sweep_rest(int what, const sqz_pool *pool, const int8_t *row, const pass *p, unsigned lanes) {
    for (unsigned x = 0; x < pool->out_width; ++x) {
        sweep_pixel(what, pool, row, p, x, lanes);
    }
}

/* Pixels whole_from to whole_to. A copy is compiled for each kind of pass. */
static inline void sweep_whole(int what, const sqz_pool *pool, const int8_t *in, const pass *p) {
    const size_t channels = pool->channels, step = pool->stride_w * channels;
    const size_t with_stride = p->with_stride, to_stride = p->to_stride;
    const size_t third = pool->kernel_w == 3 ? 2 * channels : channels; /* of two columns the last counts twice */
    int8_t *with = p->with + p->whole_from * with_stride, *to = p->to + p->whole_from * to_stride;
    for (unsigned n = p->whole_to - p->whole_from; n > 0; --n) {
        const sqz_lanes two = sqz_lanes_max(sqz_lanes_load(in, SQZ_LANES), sqz_lanes_load(in + channels, SQZ_LANES));
        merge(what, sqz_lanes_max(two, sqz_lanes_load(in + third, SQZ_LANES)), with, to, SQZ_LANES);
        in += step;
        with += with_stride;
        to += to_stride;
    }
}

static SQZ_NOINLINE void sweep_first(const sqz_pool *pool, const int8_t *in, const pass *p) {
    sweep_whole(FIRST, pool, in, p);
}

static SQZ_NOINLINE void sweep_next(const sqz_pool *pool, const int8_t *in, const pass *p) {
    sweep_whole(NEXT, pool, in, p);
}

static SQZ_NOINLINE void sweep_turn(const sqz_pool *pool, const int8_t *in, const pass *p) {
    sweep_whole(TURN, pool, in, p);
}

/* Returns how many times `by` fits into `x`, 0 if x is negative. */
static unsigned fits(int x, unsigned by) {
    return x < 0 ? 0 : (unsigned)x / by;
}

static void find_whole(const sqz_pool *pool, pass *p) {
    const unsigned from = (pool->pad_left + pool->stride_w - 1u) / pool->stride_w;
    const unsigned to = fits(pool->in_width + pool->pad_left - pool->kernel_w + pool->stride_w, pool->stride_w);
    const unsigned end = to < pool->out_width ? to : pool->out_width;
    const int is_common = (pool->kernel_w == 2 || pool->kernel_w == 3) && from < end;
    p->whole_from = is_common ? from : pool->out_width;
    p->whole_to = is_common ? end : pool->out_width;
}

static void make_pass(int what, const sqz_pool *pool, const int8_t *row, pass p) {
    static void (*const sweeps[])(const sqz_pool *, const int8_t *, const pass *) = {
        sweep_first, sweep_next, sweep_turn};
    find_whole(pool, &p);
    const int whole = (int)(p.whole_from * pool->stride_w) - pool->pad_left; /* column of its first pixel */
    unsigned lanes = pool->channels;
    for (; lanes >= SQZ_LANES; lanes -= SQZ_LANES) {
        if (p.whole_from > 0) {
            sweep_edge(what, pool, row, &p, 0, p.whole_from);
        }
        if (p.whole_from < p.whole_to) {
            sweeps[what](pool, row + whole * pool->channels, &p);
        }
        if (p.whole_to < pool->out_width) {
            sweep_edge(what, pool, row, &p, p.whole_to, pool->out_width);
        }
        row += SQZ_LANES;
        p.with += SQZ_LANES;
        p.to += SQZ_LANES;
    }
    if (lanes > 0) {
        sweep_rest(what, pool, row, &p, lanes);
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
    const pass p = {
        .with = rows->out, .with_stride = pool->out_stride, .to = rows->out, .to_stride = pool->out_stride};
    int what = FIRST;
    for (unsigned k = 0; k < pool->kernel_h; ++k) {
        if (rows->in[k]) {
            make_pass(what, pool, rows->in[k], p);
            what = NEXT;
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
    /* With kernel_h = stride_h + 1 the row that begins a window is the last of the window before, if there is one. */
    const int overlaps = pool->kernel_h > pool->stride_h && rows->y + pool->pad_top >= pool->stride_h;
    const int turns = rows->out && phase == 0 && overlaps;
    const pass p = {
        .with = rows->state,
        .with_stride = pool->channels,
        .to = rows->out ? rows->out : rows->state,
        .to_stride = rows->out ? pool->out_stride : pool->channels,
    };
    if (turns && rows->y == 0) {
        memset(rows->state, INT8_MIN, (size_t)pool->out_width * pool->channels); /* that window had padding only */
    }
    make_pass(turns ? TURN : rows->y == 0 || phase == 0 ? FIRST : NEXT, pool, rows->in[0], p);
    if (rows->out) {
        clamp(pool, rows->out);
    }
}
