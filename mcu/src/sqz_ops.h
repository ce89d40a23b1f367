/* The tables a compiled model is made of, and the kernels that read them. Internal: NAME.c and the library only.
 *
 * A feature map is a stream of rows, of which the arena holds a ring of `ring_rows`. An operator makes one output
 * row at a time from the input rows its window needs. `sqz_advance` offers every operator, in graph order, the
 * chance to make one row; what it makes is read by later operators in the same step or waits in the ring.
 */
#ifndef SQZ_OPS_H
#define SQZ_OPS_H
#include "sqz.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SQZ_NONE 0xFFu      /* no such stream */
#define SQZ_MAX_WINDOW 16   /* rows an operator can see at once */

/* A feature map. Row y lies at arena + offset + (y % ring_rows) * row_bytes, int8 [width, channels]. */
typedef struct sqz_stream {
    uint32_t offset;
    uint32_t row_bytes;
    uint16_t ring_rows;
    uint16_t height;       /* rows in all */
    uint8_t last_producer; /* operator that completes a row (of several that write slices of it); SQZ_NONE: the caller */
} sqz_stream;

/* What a kernel gets: the rows of its window (null outside the image), where to write, where to work. */
typedef struct sqz_rows {
    const int8_t *const *in; /* kernel_h pointers; ADD: one row of each input */
    int8_t *out;             /* first byte of the output row's slice */
    void *scratch;           /* nothing is kept here between calls */
    void *state;             /* kept from call to call, zero before the first */
    uint16_t y;              /* number of this firing, from 0 */
} sqz_rows;

typedef void (*sqz_kernel)(const void *params, const sqz_rows *rows);

/* When an operator's output rows are complete. An operator fires `fires` times, each time the rows of its window
 * (kernel_h, stride_h, pad_top; clipped to the image) are there:
 *   SQZ_EACH    every firing makes one output row: convolution, ADD, generic pooling …
 *   SQZ_WINDOW  it fires once per input row and keeps running maxima or sums in `state`: streaming pooling. Output
 *               row r is complete with input row min(r * stride_h - pad_top + kernel_h, height) - 1
 *   SQZ_LAST    it keeps sums in `state` and makes its one output row in the last firing: MEAN, FULLY_CONNECTED,
 *               and a convolution whose only reader is MEAN (its rows are never stored) */
enum { SQZ_EACH = 0, SQZ_WINDOW = 1, SQZ_LAST = 2 };

typedef struct sqz_op {
    sqz_kernel kernel;
    const void *params;     /* sqz_conv, sqz_pool, … */
    uint32_t scratch;       /* offset in the arena */
    uint32_t state;         /* offset in the arena */
    uint32_t out_offset;    /* bytes from the row's start to this operator's channel slice */
    uint16_t fires;
    uint8_t yields;         /* SQZ_EACH, SQZ_WINDOW or SQZ_LAST */
    uint8_t input, input_b; /* streams; input_b is SQZ_NONE unless the operator has two inputs */
    uint8_t output;
    uint8_t kernel_h, stride_h, pad_top;
    uint8_t lag;            /* further input rows to wait for, so that the slices of one row are made in one step */
} sqz_op;

typedef struct sqz_model {
    const sqz_stream *streams; /* stream 0 is the input */
    const sqz_op *ops;
    uint8_t stream_count, op_count;
    uint16_t output;           /* stream that is the result; its only row is copied out by sqz_finish */
    uint32_t arena_bytes, output_bytes;
    uint32_t zero_from, zero_bytes; /* the part of the arena that holds state: cleared by sqz_begin */
} sqz_model;

/* The engine: NAME_begin, NAME_push_row and NAME_finish are these with NAME's table. */
sqz_status sqz_begin(const sqz_model *model, void *arena, size_t arena_bytes);
sqz_status sqz_push_row(const sqz_model *model, void *arena, const int8_t *row);
sqz_status sqz_finish(const sqz_model *model, void *arena, int8_t *output);
sqz_status sqz_invoke(const sqz_model *model, void *arena, const int8_t *input, int8_t *output);

/* From int32 sums to int8: TFLite's MultiplyByQuantizedMultiplier, then zero point, then clamp.
 * multiplier is null where every multiplier is 2^30 (power-of-two scales): then only shifts are needed.
 * Index c * step: step is 1 per channel, 0 per tensor. shift is TFLite's: positive to the left. */
typedef struct sqz_requant {
    const int32_t *multiplier;
    const int8_t *shift;
    uint8_t step;
    int8_t zero_point, lowest, highest;
} sqz_requant;

/* CONV_2D, one row. bias has the input's zero point folded in (bias − zero_point · Σ weights), so the sums run
 * over the input bytes as they are; outside the image the input is input_zero_point.
 * weights: int8, in the order of the target's kernel (generic: [O, KH, KW, I]). */
typedef struct sqz_conv {
    const int8_t *weights;
    const int32_t *bias;
    sqz_requant requant;
    uint16_t in_width, in_channels, out_width, out_channels;
    uint16_t out_stride; /* bytes from one output pixel to the next: more than out_channels in a concatenation */
    uint8_t kernel_h, kernel_w, stride_w, pad_left;
    uint8_t dilation_w; /* 1: none */
    int8_t input_zero_point;
} sqz_conv;

void sqz_conv_row(const void *params, const sqz_rows *rows);           /* portable reference */
void sqz_conv_row_dsp(const void *params, const sqz_rows *rows);       /* packed for SMLAD */
void sqz_conv_row_mve(const void *params, const sqz_rows *rows);       /* Helium */

/* The same convolution where its only reader is the mean over height and width: its rows are never stored (1000
 * classes on 14 pixels would be the widest row of SqueezeNet); int32 sums per channel are kept in `state`. */
typedef struct sqz_conv_mean {
    sqz_conv conv;
    sqz_requant mean; /* MEAN's own arithmetic, as TFLite's reference kernel computes it */
    uint32_t pixels;  /* averaged */
} sqz_conv_mean;

#ifdef __cplusplus
}
#endif
#endif
