/* The engine: walks the operators of a model each time a row comes. What it knows between calls is the header at the
 * start of the arena. */
#include "sqz_ops.h"

#include <string.h>

_Static_assert((-3 >> 1) == -2, "sqz needs >> of negative numbers to be arithmetic");

/* The header: SQZ_HEADER_BYTES of it are used. counts: op_count firings, then stream_count complete rows. */
typedef struct header {
    uint32_t mark; /* mark_of the model between sqz_begin and sqz_finish */
    uint16_t counts[];
} header;

static uint16_t *fired(void *arena) {
    return ((header *)arena)->counts;
}

static uint16_t *complete(const sqz_model *model, void *arena) {
    return ((header *)arena)->counts + model->op_count;
}

static int8_t *row_of(const sqz_model *model, void *arena, unsigned stream, unsigned y) {
    const sqz_stream *s = &model->streams[stream];
    return (int8_t *)arena + s->offset + y % s->ring_rows * s->row_bytes;
}

static void complete_row(const sqz_model *model, void *arena, unsigned stream) {
    uint16_t *rows = &complete(model, arena)[stream];
#if defined(SQZ_TRACE)
    sqz_trace(stream, *rows, row_of(model, arena, stream, *rows), model->streams[stream].row_bytes);
#endif
    ++*rows;
}

/* What begun arenas of a model are known by. Memory that was never begun holds it by one chance in 2^32. */
static uint32_t mark_of(const sqz_model *model) {
    return (uint32_t)(uintptr_t)model ^ 0x53715A31u;
}

static int least(int a, int b) {
    return a < b ? a : b;
}

/* The first row of an operator's window in firing y, which may lie above the image. */
static int first_row(const sqz_op *op, int y) {
    return op->yields == SQZ_WINDOW ? y : y * op->stride_h - op->pad_top;
}

static int window_rows(const sqz_op *op) {
    return op->yields == SQZ_WINDOW ? 1 : op->kernel_h;
}

/* Whether the rows for firing y are there, and `lag` more. */
static int is_ready(const sqz_model *model, void *arena, const sqz_op *op, int y) {
    const uint16_t *rows = complete(model, arena);
    const int height = model->streams[op->input].height;
    const int needed = first_row(op, y) + window_rows(op) + op->lag;
    return rows[op->input] >= least(needed, height) && (op->input_b == SQZ_NONE || rows[op->input_b] > y);
}

/* The output row that streaming pooling completes with input row y, or -1. */
static int completed_by(const sqz_model *model, const sqz_op *op, int y) {
    const int last = model->streams[op->output].height - 1;
    const int spare = y + 1 + op->pad_top - op->kernel_h; /* input rows beyond the end of window 0 */
    if (y + 1 == model->streams[op->input].height && spare <= last * op->stride_h) {
        return last;
    }
    return spare >= 0 && spare % op->stride_h == 0 ? spare / op->stride_h : -1;
}

/* The output row that firing y completes, or -1. */
static int output_row(const sqz_model *model, const sqz_op *op, int y) {
    switch (op->yields) {
    case SQZ_WINDOW:
        return completed_by(model, op, y);
    case SQZ_LAST:
        return y + 1 == op->fires ? 0 : -1;
    default:
        return y;
    }
}

static void point_at_window(const sqz_model *model, void *arena, const sqz_op *op, int y, const int8_t **in) {
    const int first = first_row(op, y), count = window_rows(op), height = model->streams[op->input].height;
    for (int k = 0; k < count; ++k) {
        const int row = first + k;
        in[k] = row < 0 || row >= height ? NULL : row_of(model, arena, op->input, (unsigned)row);
    }
    if (op->input_b != SQZ_NONE) {
        in[1] = row_of(model, arena, op->input_b, (unsigned)y);
    }
}

/* Fires operator number i once if its rows have come. Returns whether it did. */
static int offer(const sqz_model *model, void *arena, unsigned i) {
    const sqz_op *op = &model->ops[i];
    const int y = fired(arena)[i];
    if (y == op->fires || !is_ready(model, arena, op, y)) {
        return 0;
    }
    const int8_t *in[SQZ_MAX_WINDOW];
    point_at_window(model, arena, op, y, in);
    const int row = output_row(model, op, y);
    const sqz_rows rows = {
        .in = in,
        .out = row < 0 ? NULL : row_of(model, arena, op->output, (unsigned)row) + op->out_offset,
        .scratch = (int8_t *)arena + op->scratch,
        .state = (int8_t *)arena + op->state,
        .y = (uint16_t)y,
    };
    op->kernel(op->params, &rows);
    ++fired(arena)[i];
    if (row >= 0 && model->streams[op->output].last_producer == i) {
        complete_row(model, arena, op->output);
    }
    return 1;
}

/* One step: offers every operator, in order, one firing. Returns whether any took it. */
static int sqz_advance(const sqz_model *model, void *arena) {
    int any = 0;
    for (unsigned i = 0; i < model->op_count; ++i) {
        any |= offer(model, arena, i);
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
    ((header *)arena)->mark = mark_of(model);
    return SQZ_OK;
}

sqz_status sqz_push_row(const sqz_model *model, void *arena, const int8_t *row) {
    const sqz_status status = check(model, arena, row);
    if (status != SQZ_OK) {
        return status;
    }
    const unsigned y = complete(model, arena)[0];
    if (y >= model->streams[0].height) {
        return SQZ_ERROR_STATE;
    }
    memcpy(row_of(model, arena, 0, y), row, model->streams[0].row_bytes);
    complete_row(model, arena, 0);
    (void)sqz_advance(model, arena);
    return SQZ_OK;
}

sqz_status sqz_finish(const sqz_model *model, void *arena, int8_t *output) {
    const sqz_status status = check(model, arena, output);
    if (status != SQZ_OK) {
        return status;
    }
    const sqz_stream *result = &model->streams[model->output];
    if (complete(model, arena)[0] < model->streams[0].height) {
        return SQZ_ERROR_STATE;
    }
    while (complete(model, arena)[model->output] < result->height && sqz_advance(model, arena)) {
    }
    memcpy(output, row_of(model, arena, model->output, 0), model->output_bytes);
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
