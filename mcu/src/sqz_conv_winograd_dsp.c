/* CONV_2D of 3 x 3 and stride 1 in bands of two rows for processors with SMLAD, by sqz_winograd_dsp.h.
 *
 * Inputs of the whole band are transformed once, weights of four outputs at a time: every band reads all weights once.
 * The weights are records (sqz_record.h) of four outputs, for each as sqz_winograd_weights reads them. */
#include "sqz_dsp.h"
#include "sqz_record.h"
#include "sqz_window.h"
#include "sqz_winograd_dsp.h"

#include <string.h>

#define GROUP 4u

/* Where what is worked on lies. */
typedef struct work {
    uint32_t *inputs, *weights;
    uint32_t *sums;
    unsigned pairs, tiles; /* pairs of channels; tiles in a row, an even number */
} work;

static work make_room(const sqz_conv *conv, void *scratch) {
    const unsigned pairs = conv->in_channels / 2u, tiles = (conv->out_width + 2 * SQZ_TILE_COLUMNS - 1) / 8 * 2;
    uint32_t *const weights = (uint32_t *)scratch + SQZ_PRODUCTS * pairs * tiles;
    return (work){scratch, weights, weights + SQZ_PRODUCTS * pairs * GROUP, pairs, tiles};
}

/* Inputs. */

/* A window's six columns of four rows, each tile's a step of four columns. */
static sqz_window window_of_tiles(const sqz_conv *conv, const sqz_rows *rows) {
    sqz_window window;
    sqz_window_begin(&window, conv, rows);
    window.rows += rows->count - 1u;
    for (unsigned i = 0; i < window.rows; ++i) {
        window.end = rows->in[i] ? window.end : -1;
    }
    window.bytes = SQZ_IN_COLUMNS * conv->in_channels;
    window.step = (int)(SQZ_TILE_COLUMNS * conv->in_channels);
    return window;
}

/* `edge`: where a tile's inputs can be copied together. */
static void transform_inputs(const sqz_conv *conv, const sqz_rows *rows, const work *at, int8_t *edge) {
    const sqz_window window = window_of_tiles(conv, rows);
    const unsigned row = window.bytes;
    for (unsigned tile = 0; tile < at->tiles; ++tile) {
        const int start = sqz_window_start(&window, tile);
        uint32_t *to = at->inputs + SQZ_PRODUCTS * at->pairs * (tile / 2 * 2) + tile % 2;
        for (unsigned y = 0; y < window.rows; ++y) {
            if (sqz_window_inside(&window, start, start)) {
                memcpy(edge + y * row, rows->in[y] + start, row);
            } else {
                sqz_window_copy(&window, tile, y, y + 1, edge + y * row);
            }
        }
        for (unsigned c = 0; c < conv->in_channels; c += 2, to += 2 * SQZ_PRODUCTS) {
            sqz_winograd_inputs(to, edge + c / 4 * 4, conv->in_channels, c % 4 * 4);
        }
    }
}

/* Outputs. */

static sqz_winograd_tile tile_of(const sqz_conv *conv, const sqz_winograd_scale *scale) {
    const sqz_requant *to = &conv->requant;
    return (sqz_winograd_tile){
        .scale = scale,
        .usual = to->zero_point == -128,
        .third = SQZ_THIRD,
        .stride = conv->out_stride,
        .relu = to->lowest == to->zero_point,
    };
}

static void read_scales(sqz_winograd_scale *scale, const sqz_requant *to, const int8_t *record, size_t bytes) {
    const int8_t *const shifts = record + 4 * GROUP + bytes, *const multipliers = shifts + GROUP;
    for (unsigned i = 0; i < GROUP; ++i, ++scale) {
        const int shift = -1 - shifts[i];
        scale->bias = 2 * sqz_record_bias(record, i);
        scale->multiplier = to->step ? (int32_t)sqz_load4(multipliers + 4 * i) : 1 << 30;
        scale->rounding = (2 * to->zero_point + 1) * (1 << shift);
        scale->shift = shift;
    }
}

/* A tile that leaves the image: what lies in it is copied. */
static void put_part(const uint32_t *sums, sqz_winograd_tile tile, const sqz_rows *rows, size_t at, unsigned columns) {
    int8_t beside[SQZ_TILE_ROWS][SQZ_TILE_COLUMNS * GROUP];
    const size_t stride = tile.stride;
    tile.rows[0] = beside[0];
    tile.rows[1] = beside[1];
    tile.stride = GROUP;
    sqz_winograd_outputs(sums, &tile);
    for (unsigned y = 0; y < rows->count; ++y) {
        for (unsigned x = 0; x < columns; ++x) {
            memcpy(rows->outs[y] + at + x * stride, beside[y] + x * GROUP, GROUP);
        }
    }
}

/* Four outputs, from `o` on, of tile and the next. */
static void put(const sqz_conv *conv, const sqz_rows *rows, sqz_winograd_tile *to, const uint32_t *sums, unsigned o,
                unsigned tile) {
    for (unsigned i = 0; i < 2 && (tile + i) * SQZ_TILE_COLUMNS < conv->out_width; ++i) {
        const unsigned x = (tile + i) * SQZ_TILE_COLUMNS, columns = conv->out_width - x;
        const size_t at = x * (size_t)conv->out_stride + o;
        if (columns < SQZ_TILE_COLUMNS || rows->count < SQZ_TILE_ROWS) {
            put_part(sums + i, *to, rows, at, columns < SQZ_TILE_COLUMNS ? columns : SQZ_TILE_COLUMNS);
        } else {
            to->rows[0] = rows->outs[0] + at;
            to->rows[1] = rows->outs[1] + at;
            sqz_winograd_outputs(sums + i, to);
        }
    }
}

void sqz_conv_winograd_row_dsp(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    const work at = make_room(conv, rows->scratch);
    const size_t bytes = 18 * at.pairs, record_bytes = sqz_record_bytes(&conv->requant, GROUP, GROUP * bytes);
    const int8_t *record = conv->weights;
    sqz_winograd_scale scale[GROUP];
    sqz_winograd_tile to = tile_of(conv, scale);
    transform_inputs(conv, rows, &at, (int8_t *)at.weights);
    for (unsigned o = 0; o < conv->out_channels; o += GROUP, record += record_bytes) {
        read_scales(scale, &conv->requant, record, GROUP * bytes);
        for (unsigned i = 0; i < GROUP; ++i) {
            sqz_winograd_weights(at.weights + i, sqz_record_weights(record, GROUP) + i * bytes, at.pairs);
        }
        for (unsigned tile = 0; tile < at.tiles; tile += 2) {
            sqz_winograd_sums(at.weights, at.inputs + SQZ_PRODUCTS * at.pairs * tile, at.sums, at.pairs);
            put(conv, rows, &to, at.sums, o, tile);
        }
    }
}
