/* The tables a compiled model is made of, and the kernels that read them. Internal: NAME.c and the library only.
 *
 * A feature map is a stream of rows, of which the arena holds a ring of `ring_rows`. An operator makes one output
 * row at a time from the input rows its window needs. Each step, after a row was pushed and until the last is out,
 * offers every operator, in graph order, the chance to make one row; it is read by later operators in the same step or
 * waits in the ring.
 */
#ifndef SQZ_OPS_H
#define SQZ_OPS_H
#include "sqz.h"
#include "sqz_code.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SQZ_NONE 0xFFu /* no such stream */

/* The engine keeps pointers to the rows of a window on its stack, or if they are more than so many in front of the
 * operator's scratch, SQZ_POINTER_BYTES for each. */
#define SQZ_ROWS_ON_STACK 16
#define SQZ_POINTER_BYTES 8

/* Bytes that the engine keeps for itself at the start of the arena: a mark, then how often each operator has fired and
 * how many rows it waits for, and how many rows of each stream are complete. Nothing else may lie there. */
#define SQZ_HEADER_BYTES(op_count, stream_count) (4u + 2u * (2u * (op_count) + (stream_count)))

/* A feature map. Row y lies at arena + offset + (y % ring_rows) * row_bytes, int8 [width, channels]. */
typedef struct sqz_stream {
    uint32_t offset;
    uint32_t row_bytes;
    uint16_t ring_rows;
    uint16_t height;       /* rows in all; less than 65535 */
    uint8_t last_producer; /* operator that completes a row, of several that write slices of it; SQZ_NONE: the caller */
} sqz_stream;

/* What a kernel gets: the rows of its window (null outside the image), where to write, where to work. */
typedef struct sqz_rows {
    const int8_t *const *in; /* SQZ_WINDOW: the one new row; two inputs: a row of each; else kernel_h pointers */
    int8_t *out;             /* first byte of the output row's slice; null if this firing completes no row */
    void *scratch;           /* nothing is kept here between calls */
    void *state;             /* kept from call to call, zero before the first */
    uint16_t y;              /* number of this firing, from 0 */
    uint16_t count;          /* firings at once, for a kernel that makes a band: `in` goes on to the last one's rows */
    int8_t *const *outs;     /* `out` of each of them */
} sqz_rows;

typedef void (*sqz_kernel)(const void *params, const sqz_rows *rows);

#define SQZ_KERNEL(name) SQZ_CODE void name(const void *params, const sqz_rows *rows)

/* When an operator's output rows are complete. An operator fires `fires` times, each time the rows of its window
 * (kernel_h, stride_h, pad_top; clipped to the image) are there:
 *   SQZ_EACH    every firing makes one output row: convolution, ADD, generic pooling …
 *   SQZ_WINDOW  it fires once per input row and keeps running maxima or sums in `state`: streaming pooling. Output
 *               row r is complete with input row min(r * stride_h - pad_top + kernel_h, height) - 1, where height is
 *               the input's; no two output rows may be complete with the same input row
 *   SQZ_LAST    it keeps sums in `state` and makes its one output row in the last firing: MEAN, FULLY_CONNECTED,
 *               and a convolution whose only reader is MEAN (its rows are never stored)
 *   SQZ_GROWN   as SQZ_EACH, but 2^doublings firings see the same rows: of a map that grows in height */
enum { SQZ_EACH = 0, SQZ_WINDOW = 1, SQZ_LAST = 2, SQZ_GROWN = 3 };

/* An operator fires once in a step (`band` 0), or several times, in bands of `band` firings (the first one of `first_band`,
 * the last of what is left), when the rows of all of them are there. A kernel that makes the band `at_once` is called once for
 * it, for instance to decode its weights only once. */
#define SQZ_MOST_BAND 4

typedef struct sqz_op {
    sqz_kernel kernel;
    const void *params;     /* sqz_conv, sqz_pool, … */
    uint32_t scratch;       /* offset in the arena */
    uint32_t state;         /* offset in the arena */
    uint16_t out_offset;    /* bytes from the row's start to this operator's channel slice */
    uint16_t fires;
    uint8_t yields;         /* SQZ_EACH, SQZ_WINDOW, SQZ_LAST or SQZ_GROWN */
    uint8_t input, input_b; /* streams; input_b is SQZ_NONE unless the operator has two inputs */
    uint8_t output;
    uint8_t kernel_h, stride_h, pad_top; /* stride_h 0: every firing sees the same rows */
    uint8_t band, first_band; /* 1 to SQZ_MOST_BAND; 0: no bands, and `left_over` and `at_once` are not read */
    uint8_t left_over;      /* firings that the last band takes too if only so many would be left: 0 if it is at_once */
    uint8_t at_once;        /* whether the kernel makes a band */
    uint8_t lag;            /* further input rows to wait for, so that the slices of one row are made in one step */
    uint8_t doublings;      /* of SQZ_GROWN: 2^doublings firings see the same rows */
} sqz_op;

typedef struct sqz_model {
    const sqz_stream *streams; /* stream 0 is the input */
    const sqz_op *ops;
    uint8_t stream_count, op_count;
    uint16_t output;           /* stream that is the result: all its rows stay in its ring until sqz_finish */
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

/* CONV_2D and DEPTHWISE_CONV_2D, one row. bias has the input's zero point folded in (bias − zero_point · Σ weights), so
 * the sums run over the input bytes as they are; outside the image the input is input_zero_point.
 * weights: int8, in the order of the target's kernel (generic: [O, KH, KW, I]; depthwise: [KH, KW, O], output channel
 * o reads input channel o / (out_channels / in_channels)).
 * The operator's kernel_h is the rows it sees, (kernel_h - 1) * dilation_h + 1. */
typedef struct sqz_conv {
    const int8_t *weights;
    const int32_t *bias;
    sqz_requant requant;
    uint16_t in_width, in_channels, out_width, out_channels;
    uint16_t out_stride; /* bytes from one output pixel to the next: more than out_channels in a concatenation */
    uint8_t kernel_h, kernel_w, stride_w, pad_left;
    uint8_t dilation_h, dilation_w; /* 1: none */
    int8_t input_zero_point;
} sqz_conv;

SQZ_KERNEL(sqz_conv_row);      /* portable reference */
SQZ_KERNEL(sqz_conv_four_row); /* portable; weights as sqz_tile_plain.h says */

/* The same with scratch, faster; for Cortex-M0 and M0+, with weights as sqz_tile_copied.h says. */
SQZ_KERNEL(sqz_conv_copied_row);
SQZ_KERNEL(sqz_conv_thumb_row);

/* For SMLAD, the same where sums may reach 2^23, for Helium: the weights are records (sqz_record.h) that hold biases,
 * multipliers and shifts too, so those are null here; requant.step is 0 where all multipliers are 2^30. */
SQZ_KERNEL(sqz_conv_row_dsp);
SQZ_KERNEL(sqz_conv_row_dsp_wide);
SQZ_KERNEL(sqz_conv_row_mve);

/* The first of these where the output's channels are groups of four, and where besides the kernel is 3 x 3 over three channels
 * and not dilated along the width. */
SQZ_KERNEL(sqz_conv_fours_row_dsp);
SQZ_KERNEL(sqz_conv_nine_row_dsp);

/* The same where rows have an odd number of pixels, the last of which is computed alone; of whole groups of four channels. */
SQZ_KERNEL(sqz_conv_odd_row_dsp);
SQZ_KERNEL(sqz_conv_odd_row_mve);

/* The same for pixels of few channels (sqz_conv_narrow_mve.c), and for windows of few inputs (sqz_conv_short_mve.c). */
SQZ_KERNEL(sqz_conv_narrow_row_mve);
SQZ_KERNEL(sqz_conv_short_row_mve);

/* For 64-bit ARM; records of eight channels (sqz_tile_neon.h). */
SQZ_KERNEL(sqz_conv_row_neon);

/* For WebAssembly: weights, biases, multipliers and shifts are records, too (sqz_wasm.h). */
SQZ_KERNEL(sqz_conv_row_wasm);

/* The same without the blocks of weights, four channels by two inputs, that are zero (sqz_tile_dsp_sparse.h). */
SQZ_KERNEL(sqz_conv_row_dsp_sparse);
/* Of 3 x 3 and stride 1, in bands of two rows with fewer products (sqz_winograd_dsp.h). What four columns of outputs see is a
 * tile's; the weights are transformed once for `tiles` of them, an even number. */
typedef struct sqz_conv_winograd {
    sqz_conv conv;
    uint16_t tiles;
} sqz_conv_winograd;

SQZ_KERNEL(sqz_conv_winograd_row_dsp);

/* A convolution whose weights, biases, multipliers and shifts lie compressed in a section of its own (sqz_unpack.h); those of
 * its sqz_conv are null, and requant.step is 0 where all multipliers are 2^30. For each band of rows the channels are
 * decoded `block` at a time. */
typedef struct sqz_packed {
    const uint8_t *data;
    uint32_t bytes;
    uint16_t block;     /* a multiple of a group's channels */
    uint16_t scales;    /* different pairs of multiplier and shift */
    uint8_t group_bits; /* looked up at once, 1 to 12 */
    uint8_t value_bits; /* the longest code of a value, 1 to 12 */
    uint8_t bias_bits;  /* 1 to 32 */
    uint8_t scale_bits; /* at most 16 */
    uint8_t stride_h;   /* from a firing's first row to the next one's */
} sqz_packed;

typedef struct sqz_conv_packed {
    sqz_conv conv;
    sqz_packed packed;
} sqz_conv_packed;

SQZ_KERNEL(sqz_conv_row_packed);
SQZ_KERNEL(sqz_conv_row_dsp_packed);
SQZ_KERNEL(sqz_conv_row_mve_packed);

SQZ_KERNEL(sqz_depthwise_row);
SQZ_KERNEL(sqz_depthwise_row_dsp);
SQZ_KERNEL(sqz_depthwise_row_mve);
SQZ_KERNEL(sqz_depthwise_row_neon);
SQZ_KERNEL(sqz_depthwise_row_wasm);
SQZ_KERNEL(sqz_depthwise_column_row_mve); /* of maps one pixel wide */

/* The same convolution where its only reader is the mean over height and width: its rows are never stored (1000
 * classes on 14 pixels would be the widest row of SqueezeNet); int32 sums per channel are kept in `state`. */
typedef struct sqz_conv_mean {
    sqz_conv conv;
    sqz_requant mean; /* MEAN's own arithmetic, as TFLite's reference kernel computes it */
    int32_t zero_sum; /* as in sqz_mean */
} sqz_conv_mean;

SQZ_KERNEL(sqz_conv_mean_row); /* SQZ_LAST; state int32 [out_channels] */
SQZ_KERNEL(sqz_conv_mean_four_row);
SQZ_KERNEL(sqz_conv_mean_copied_row);
SQZ_KERNEL(sqz_conv_mean_thumb_row);
SQZ_KERNEL(sqz_conv_mean_row_dsp);
SQZ_KERNEL(sqz_conv_mean_fours_row_dsp);
SQZ_KERNEL(sqz_conv_mean_row_mve);
SQZ_KERNEL(sqz_conv_mean_row_dsp_sparse);
SQZ_KERNEL(sqz_conv_mean_row_neon);
SQZ_KERNEL(sqz_conv_mean_row_wasm);

typedef struct sqz_conv_mean_packed {
    sqz_conv_mean both;
    sqz_packed packed;
} sqz_conv_mean_packed;

SQZ_KERNEL(sqz_conv_mean_row_packed);
SQZ_KERNEL(sqz_conv_mean_row_dsp_packed);
SQZ_KERNEL(sqz_conv_mean_row_mve_packed);

/* MAX_POOL_2D and AVERAGE_POOL_2D. `_row` sees all rows of its window (SQZ_EACH). `_window` sees one row at a time
 * (SQZ_WINDOW), with kernel_h <= stride_h + 1 for maxima and kernel_h <= stride_h for averages, so that at most one
 * window is left open by a row.
 * State of sqz_max_pool_window: int8 [out_width, channels]; of sqz_average_pool_window: int32 [out_width, channels].
 * sqz_max_pool_window may write its output row over its input row if out_stride == channels and stride_w > pad_left. */
typedef struct sqz_pool {
    uint16_t in_width, channels, out_width;
    uint16_t out_stride; /* as in sqz_conv */
    uint8_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;
    int8_t lowest, highest;
} sqz_pool;

SQZ_KERNEL(sqz_max_pool_row);
SQZ_KERNEL(sqz_max_pool_window);
SQZ_KERNEL(sqz_average_pool_row);
SQZ_KERNEL(sqz_average_pool_window);

/* MEAN over height and width: SQZ_LAST, one firing per row; over width: SQZ_EACH. State int32 [channels]. */
typedef struct sqz_mean {
    sqz_requant requant; /* per tensor; 1 / pixels is part of the multiplier, as in TFLite */
    int32_t zero_sum;    /* taken off each sum: the input's zero point * pixels, less the bytes of a PAD before it */
    uint16_t width, channels;
} sqz_mean;

SQZ_KERNEL(sqz_mean_row);

/* What meets a map in an operator of two operands: constants [channels], or if null a second stream, of as many rows or of
 * one for all of them. From one pixel to the next are `step` bytes; 0: one pixel, or the constants, meets all. The
 * output row may be one of the inputs if out_stride == channels. */
typedef struct sqz_second {
    const int8_t *constant;
    uint16_t step;
} sqz_second;

/* ADD and SUB; each input is shifted left by 20 bits, scaled, added, and the sum scaled. */
typedef struct sqz_add {
    int32_t multiplier_a, multiplier_b, multiplier_out;
    int8_t shift_a, shift_b, shift_out; /* TFLite's: not positive */
    int8_t zero_point_a, zero_point_b, zero_point_out;
    int8_t lowest, highest;
    uint16_t width, channels, out_stride;
    sqz_second second;
} sqz_add;

SQZ_KERNEL(sqz_add_row);
SQZ_KERNEL(sqz_sub_row);      /* a - b */
SQZ_KERNEL(sqz_sub_from_row); /* b - a */

/* MUL: requant((a - zero_point_a) * (b - zero_point_b)). */
typedef struct sqz_mul {
    sqz_requant requant; /* per tensor */
    int8_t zero_point_a, zero_point_b;
    uint16_t width, channels, out_stride;
    sqz_second second;
} sqz_mul;

SQZ_KERNEL(sqz_mul_row);

/* MINIMUM and MAXIMUM. */
typedef struct sqz_extreme {
    uint8_t larger; /* whether the larger is wanted */
    uint16_t width, channels, out_stride;
    sqz_second second;
} sqz_extreme;

SQZ_KERNEL(sqz_extreme_row);

/* A function of each value: table[256], in the order of the byte without its sign. The output row may be the input if
 * out_stride == channels. */
typedef struct sqz_table {
    const int8_t *table;
    uint16_t width, channels, out_stride;
} sqz_table;

SQZ_KERNEL(sqz_table_row);

/* PRELU: positive(a) of a = q - input_zero_point that is not negative, else negative(a * (slopes[c] - slope_zero_point)).
 * The output row may be the input if out_stride == channels. */
typedef struct sqz_prelu {
    sqz_requant positive, negative; /* per tensor */
    const int8_t *slopes;           /* [channels] */
    int8_t input_zero_point, slope_zero_point;
    uint16_t width, channels, out_stride;
} sqz_prelu;

SQZ_KERNEL(sqz_prelu_row);
SQZ_KERNEL(sqz_prelu_map_row); /* slopes [height, width, channels] */

/* Row y of a constant map, int8 [height, width, channels]; the operator's input only says when. */
typedef struct sqz_constant {
    const int8_t *values;
    uint16_t width, channels;
} sqz_constant;

SQZ_KERNEL(sqz_constant_row);

/* TRANSPOSE: firing y makes row y of a map gathered from the input, all of which it sees, as in sqz_reshape. From one row,
 * pixel and channel of the output to the next are so many bytes of the input. */
typedef struct sqz_transpose {
    uint32_t row_step, pixel_step, channel_step;
    uint16_t width, channels, out_stride; /* of the output */
} sqz_transpose;

SQZ_KERNEL(sqz_transpose_row);

/* STRIDED_SLICE, SLICE and the parts of SPLIT. SQZ_WINDOW, so that it sees one row at a time: kernel_h is the first row
 * taken and 1, stride_h from one to the next. From byte `first` of a row on, pixels and channels are so many bytes apart. */
typedef struct sqz_slice {
    uint32_t first, pixel_step;
    uint16_t channel_step, width, channels, out_stride;
} sqz_slice;

SQZ_KERNEL(sqz_slice_row);

/* QUANTIZE from int8 to int8, and RELU or RELU6 that stand alone: q -> requant(q - input_zero_point). The
 * output row may be the input if out_stride == channels. */
typedef struct sqz_quantize {
    sqz_requant requant; /* per tensor */
    uint16_t width, channels, out_stride;
    int8_t input_zero_point;
} sqz_quantize;

SQZ_KERNEL(sqz_quantize_row);

/* PAD of height and width (in height by the operator's pad_top and fires); without padding a copy into a slice. */
typedef struct sqz_pad {
    uint16_t in_width, channels, out_width, out_stride;
    uint8_t pad_left;
    int8_t value;
} sqz_pad;

SQZ_KERNEL(sqz_pad_row);

/* The same of channels, too: so many before and after those of the input. */
typedef struct sqz_pad_channels {
    sqz_pad pad;
    uint8_t before, after;
} sqz_pad_channels;

SQZ_KERNEL(sqz_pad_channels_row);

/* RESHAPE to other rows: firing y makes row y of a map whose bytes are those of the input, all of which it sees (kernel_h
 * is the input's height, stride_h 0), so that its rows lie one after another from in[0] on. */
typedef struct sqz_reshape {
    uint16_t width, channels, out_stride; /* of the output */
} sqz_reshape;

SQZ_KERNEL(sqz_reshape_row);

/* RESHAPE to 2^n times as many rows: firing y makes part y & mask of the row that it sees (the operator's doublings: n). */
typedef struct sqz_unstack {
    sqz_reshape reshape;
    uint8_t mask;
} sqz_unstack;

SQZ_KERNEL(sqz_unstack_row);

/* RESIZE_NEAREST_NEIGHBOR: which column of the input each pixel is, uint16 [width], and which of the rows that firing y sees,
 * uint8 [height of the output]; null: the first. */
typedef struct sqz_nearest {
    const uint8_t *rows;
    const uint16_t *columns;
    uint16_t width, channels, out_stride;
} sqz_nearest;

SQZ_KERNEL(sqz_nearest_row);

/* RESIZE_BILINEAR: place y of the output is y * scale + offset of the input, in 1 / 1024. Firing y sees rows from
 * (y >> doublings) - top on, or all. */
typedef struct sqz_bilinear_axis {
    int32_t scale, offset;
    uint16_t size; /* of the input */
} sqz_bilinear_axis;

typedef struct sqz_bilinear {
    sqz_bilinear_axis rows, columns;
    uint16_t width, channels, out_stride;
    uint8_t doublings, top, whole;
} sqz_bilinear;

SQZ_KERNEL(sqz_bilinear_row);

/* As sqz_requant, but rounded once: TFLite's reference FULLY_CONNECTED multiplies by a double and rounds halves away
 * from zero. The factor has all of a double's 53 bits: (high * 2^31 + low) / 2^shift, 0 <= high < 2^22,
 * 0 <= low < 2^31, high * 2^31 + low is 0 or at least 2^52, 32 <= shift <= 94. */
typedef struct sqz_exact_requant {
    const int32_t *high, *low;
    const int8_t *shift;
    uint8_t step;
    int8_t zero_point, lowest, highest;
} sqz_exact_requant;

/* FULLY_CONNECTED after a map. SQZ_LAST, one firing per row; bias as in sqz_conv; weights [out_channels, height *
 * row_bytes]. State int32 [out_channels], not used if the map has one row. */
typedef struct sqz_fully_connected {
    const int8_t *weights;
    const int32_t *bias;
    sqz_exact_requant requant;
    uint32_t row_bytes;
    uint16_t height, out_channels;
} sqz_fully_connected;

SQZ_KERNEL(sqz_fully_connected_row);

/* The same of each pixel of a row (SQZ_EACH): a sequence's steps, say. Height 1, row_bytes those of a pixel. */
typedef struct sqz_fully_connected_each {
    sqz_fully_connected pixel;
    uint16_t width, out_stride;
} sqz_fully_connected_each;

SQZ_KERNEL(sqz_fully_connected_each_row);

/* For SMLAD, with outputs four together or (_wide) not; for Helium; for 64-bit ARM; for WebAssembly. */
SQZ_KERNEL(sqz_fully_connected_row_dsp);
SQZ_KERNEL(sqz_fully_connected_row_dsp_wide);
SQZ_KERNEL(sqz_fully_connected_row_mve);
SQZ_KERNEL(sqz_fully_connected_row_neon);
SQZ_KERNEL(sqz_fully_connected_row_wasm);
SQZ_KERNEL(sqz_fully_connected_each_row_dsp);
SQZ_KERNEL(sqz_fully_connected_each_row_dsp_wide);
SQZ_KERNEL(sqz_fully_connected_each_row_mve);
SQZ_KERNEL(sqz_fully_connected_each_row_neon);
SQZ_KERNEL(sqz_fully_connected_each_row_wasm);

/* SOFTMAX over the channels of each pixel; output scale 1 / 256, zero point -128. LOG_SOFTMAX of at most 4095 channels;
 * output scale 1 / 16, zero point 127. multiplier, shift and diff_min as
 * TFLite's PreprocessSoftmaxScaling makes them from beta and the input's scale, but shift at most 30. */
typedef struct sqz_softmax {
    int32_t multiplier, diff_min;
    uint8_t shift;
    uint16_t width, channels;
} sqz_softmax;

SQZ_KERNEL(sqz_softmax_row);
SQZ_KERNEL(sqz_log_softmax_row);

#if defined(SQZ_TRACE)
/* The caller's, with -DSQZ_TRACE: called with every complete row of every stream, the input's too. */
void sqz_trace(unsigned stream, unsigned y, const int8_t *row, size_t bytes);
#endif

#ifdef __cplusplus
}
#endif
#endif
