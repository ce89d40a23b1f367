/* The engine: walks the operators of a model each time a row comes. What it knows between calls is the header at the
 * start of the arena. */
#include "sqz_ops.h"

#include <limits.h>
#include <string.h>

_Static_assert((-3 >> 1) == -2, "sqz needs >> of negative numbers to be arithmetic");
_Static_assert(INT_MAX >= INT32_MAX, "sqz needs an int of 32 bits: sums and products of int8 are int");
_Static_assert(sizeof(void *) <= SQZ_POINTER_BYTES, "sqz needs pointers of at most 64 bits");

#define NEVER UINT16_MAX /* rows that an operator waits for which has fired for the last time */

/* The header: SQZ_HEADER_BYTES of it are used. */
typedef struct header {
    uint32_t mark;     /* mark_of the model between sqz_begin and sqz_finish */
    uint16_t counts[]; /* stream_count rows complete, op_count firings, op_count rows of their inputs waited for */
} header;

static uint16_t *complete(void *arena) {
    return ((header *)arena)->counts;
}

static uint16_t *awaited(const sqz_model *model, void *arena) {
    return complete(arena) + model->stream_count + model->op_count;
}

/* What begun arenas of a model are known by. Memory that was never begun holds it by one chance in 2^32. */
static uint32_t mark_of(const sqz_model *model) {
    return (uint32_t)(uintptr_t)model ^ 0x53715A31u;
}

static int8_t *row_of(const sqz_stream *stream, void *arena, unsigned y) {
    return (int8_t *)arena + stream->offset + y % stream->ring_rows * stream->row_bytes;
}

static void complete_rows(const sqz_model *model, void *arena, unsigned stream, unsigned count) {
    uint16_t *rows = &complete(arena)[stream];
#if defined(SQZ_TRACE)
    const sqz_stream *s = &model->streams[stream];
    for (unsigned i = 0; i < count; ++i) {
        sqz_trace(stream, *rows + i, row_of(s, arena, *rows + i), s->row_bytes);
    }
#else
    (void)model;
#endif
    *rows = (uint16_t)(*rows + count);
}

/* The rows of an operator's window in firing y: the first one, which may lie above the image, and the one behind the last. */
typedef struct span {
    int first, end;
} span;

static inline span window_of(const sqz_op *op, int y) {
    if (op->yields == SQZ_WINDOW) {
        return (span){y, y + 1};
    }
    int first = y * op->stride_h - op->pad_top; /* of each firing, so that maps which grow cost the others nothing */
    if (SQZ_RARELY(op->yields == SQZ_GROWN)) {
        first = (y >> op->doublings) * op->stride_h - op->pad_top;
    }
    return (span){first, first + op->kernel_h};
}

/* The end of the band that begins with firing y. */
static inline int band_end(const sqz_op *op, int y) {
    if (op->band == 0) {
        return y + 1;
    }
    const int end = y == 0 ? op->first_band : y + op->band;
    return end + op->left_over < op->fires ? end : op->fires;
}

/* The rows of its input that an operator waits for before it fires the band that begins with firing y. */
static SQZ_NOINLINE uint16_t rows_for(const sqz_model *model, const sqz_op *op, int y) {
    const int height = model->streams[op->input].height, rows = window_of(op, band_end(op, y) - 1).end + op->lag;
    return (uint16_t)(y == op->fires ? (int)NEVER : rows < 0 ? 0 : rows > height ? height : rows);
}

/* The output row that an operator completes which does not make one in every firing, or -1. */
static SQZ_NOINLINE int completed_by(const sqz_model *model, const sqz_op *op, int y) {
    if (op->yields != SQZ_WINDOW) {
        return op->yields == SQZ_GROWN ? y : y + 1 == op->fires ? 0 : -1;
    }
    const int last = model->streams[op->output].height - 1;
    const int spare = y + 1 + op->pad_top - op->kernel_h; /* input rows beyond the end of window 0 */
    if (y + 1 == op->fires && spare <= last * op->stride_h) {
        return last;
    }
    return spare >= 0 && spare % op->stride_h == 0 ? spare / op->stride_h : -1;
}

/* Where firing y writes, or null if it completes no row. */
static inline int8_t *place_of(const sqz_model *model, void *arena, const sqz_op *op, int y) {
    int row = y;
    if (op->yields != SQZ_EACH) {
        row = completed_by(model, op, y);
        if (row < 0) {
            return NULL;
        }
    }
    return row_of(&model->streams[op->output], arena, (unsigned)row) + op->out_offset;
}

/* Points at the rows of a stream from `row` to before `end`, null outside the image. Returns where the next pointer goes. */
static inline const int8_t **point_at_rows(const sqz_stream *stream, void *arena, int row, int end, const int8_t **in) {
    const unsigned bytes = stream->row_bytes, height = stream->height;
    const int8_t *const ring = (int8_t *)arena + stream->offset, *const ring_end = ring + stream->ring_rows * bytes;
    const int8_t **const stop = in + (end - row);
    for (; row < 0 && in != stop; ++row) {
        *in++ = NULL;
    }
    const int8_t *at = ring + (unsigned)row % stream->ring_rows * bytes;
    for (; in != stop; ++row) {
        *in++ = (unsigned)row < height ? at : NULL;
        at += bytes;
        if (at == ring_end) {
            at = ring;
        }
    }
    return stop;
}

/* Calls an operator's kernel for the firings that `rows` tells, where they write being known. */
static SQZ_NOINLINE void fire(const sqz_model *model, void *arena, const sqz_op *op, sqz_rows *rows) {
    const int8_t *few[SQZ_ROWS_ON_STACK], **in = few;
    const int y = rows->y;
    const span window = window_of(op, y);
    const int first = window.first, end = window.end + (rows->count - 1) * (op->yields == SQZ_WINDOW ? 1 : op->stride_h);
    rows->state = (int8_t *)arena + op->state;
    rows->scratch = (int8_t *)arena + op->scratch;
    if (end - first > SQZ_ROWS_ON_STACK) {
        in = (const int8_t **)(void *)((int8_t *)rows->scratch - (end - first) * SQZ_POINTER_BYTES);
    }
    rows->in = in;
    in = point_at_rows(&model->streams[op->input], arena, first, end, in);
    if (op->input_b != SQZ_NONE) {
        *in = row_of(&model->streams[op->input_b], arena, (unsigned)y);
    }
    op->kernel(op->params, rows);
}

/* Fires an operator once. Returns how many rows that has made, 0 or 1. */
static inline unsigned fire_once(const sqz_model *model, void *arena, const sqz_op *op, int y) {
    sqz_rows rows;
    rows.out = place_of(model, arena, op, y);
    rows.outs = &rows.out;
    rows.y = (uint16_t)y;
    rows.count = 1;
    fire(model, arena, op, &rows);
    return rows.out != NULL;
}

/* Fires a band, which ends before firing `end`. Returns how many rows that has made. */
static SQZ_NOINLINE unsigned fire_band(const sqz_model *model, void *arena, const sqz_op *op, int y, int end) {
    int8_t *outs[SQZ_MOST_BAND];
    sqz_rows rows;
    unsigned made = 0;
    rows.outs = outs;
    rows.y = (uint16_t)y;
    rows.count = 0;
    for (; y < end; ++y) {
        rows.out = outs[rows.count++] = place_of(model, arena, op, y);
        made += rows.out != NULL;
        if (!op->at_once || y + 1 == end) {
            fire(model, arena, op, &rows);
            rows.y = (uint16_t)(y + 1);
            rows.count = 0;
        }
    }
    return made;
}

/* Fires a band of an operator, its first input's rows being there, and completes the rows that it has made if no other
 * operator is to add to them. Returns whether the second input's rows were there too. */
static SQZ_NOINLINE int fire_next(const sqz_model *model, void *arena, const sqz_op *op, uint16_t *wanted) {
    uint16_t *const firings = wanted - model->op_count;
    const int y = *firings, end = band_end(op, y);
    if (op->input_b != SQZ_NONE) {
        const int height = model->streams[op->input_b].height; /* a map of one row meets all rows */
        if (complete(arena)[op->input_b] < (end < height ? end : height)) {
            return 0;
        }
    }
    const unsigned made = op->band == 0 ? fire_once(model, arena, op, y) : fire_band(model, arena, op, y, end);
    if (model->streams[op->output].last_producer == op - model->ops) {
        complete_rows(model, arena, op->output, made);
    }
    *firings = (uint16_t)end;
    *wanted = rows_for(model, op, end);
    return 1;
}

/* One step: offers every operator, in order, one band. Returns whether any took it. Most have nothing to do in most
 * steps, so an offer is one comparison. */
static int advance(const sqz_model *model, void *arena) {
    uint16_t *wanted = awaited(model, arena);
    const uint16_t *const rows = complete(arena);
    const sqz_op *const end = model->ops + model->op_count;
    int any = 0;
    for (const sqz_op *op = model->ops; op < end; ++op, ++wanted) {
        if (rows[op->input] >= *wanted) {
            any |= fire_next(model, arena, op, wanted);
        }
    }
    return any;
}

static int is_aligned(const void *arena) {
    return (uintptr_t)arena % SQZ_ARENA_ALIGN == 0;
}

static sqz_status check(const sqz_model *model, const void *arena, const void *rows) {
    if (arena == NULL || rows == NULL) {
        return SQZ_ERROR_NULL;
    }
    if (!is_aligned(arena)) {
        return SQZ_ERROR_ALIGNMENT;
    }
    return ((const header *)arena)->mark == mark_of(model) ? SQZ_OK : SQZ_ERROR_STATE;
}

sqz_status sqz_begin(const sqz_model *model, void *arena, size_t arena_bytes) {
    if (arena == NULL) {
        return SQZ_ERROR_NULL;
    }
    if (!is_aligned(arena)) {
        return SQZ_ERROR_ALIGNMENT;
    }
    if (arena_bytes < model->arena_bytes) {
        return SQZ_ERROR_ARENA;
    }
    memset(arena, 0, SQZ_HEADER_BYTES((size_t)model->op_count, model->stream_count));
    memset((int8_t *)arena + model->zero_from, 0, model->zero_bytes);
    for (unsigned i = 0; i < model->op_count; ++i) {
        awaited(model, arena)[i] = rows_for(model, &model->ops[i], 0);
    }
    ((header *)arena)->mark = mark_of(model);
    return SQZ_OK;
}

sqz_status sqz_push_row(const sqz_model *model, void *arena, const int8_t *row) {
    const sqz_status status = check(model, arena, row);
    if (status != SQZ_OK) {
        return status;
    }
    const sqz_stream *input = &model->streams[0];
    const unsigned y = complete(arena)[0];
    if (y >= input->height) {
        return SQZ_ERROR_STATE;
    }
    memcpy(row_of(input, arena, y), row, input->row_bytes);
    complete_rows(model, arena, 0, 1);
    (void)advance(model, arena);
    return SQZ_OK;
}

sqz_status sqz_finish(const sqz_model *model, void *arena, int8_t *output) {
    const sqz_status status = check(model, arena, output);
    if (status != SQZ_OK) {
        return status;
    }
    const sqz_stream *result = &model->streams[model->output];
    if (complete(arena)[0] < model->streams[0].height) {
        return SQZ_ERROR_STATE;
    }
    while (complete(arena)[model->output] < result->height) {
        if (!advance(model, arena)) {
            return SQZ_ERROR_STATE; /* the tables are not of one model */
        }
    }
    memcpy(output, row_of(result, arena, 0), model->output_bytes);
    ((header *)arena)->mark = ~mark_of(model);
    return SQZ_OK;
}

sqz_status sqz_invoke(const sqz_model *model, void *arena, const int8_t *input, int8_t *output) {
    if (input == NULL || output == NULL) {
        return SQZ_ERROR_NULL;
    }
    sqz_status status = sqz_begin(model, arena, model->arena_bytes);
    for (unsigned y = 0; y < model->streams[0].height && status == SQZ_OK; ++y) {
        status = sqz_push_row(model, arena, input + (size_t)y * model->streams[0].row_bytes);
    }
    return status == SQZ_OK ? sqz_finish(model, arena, output) : status;
}
