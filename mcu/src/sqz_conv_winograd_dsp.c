/* CONV_2D of 3 x 3 and stride 1 in bands of two rows for processors with SMLAD, by sqz_winograd_dsp.h.
 *
 * Inputs of many tiles are transformed at once, and for them the weights, of four outputs at a time.
 * The weights are records (sqz_record.h) of four outputs, for each as sqz_winograd_weights reads them. */
#include "sqz_dsp.h"
#include "sqz_record.h"
#include "sqz_window.h"
#include "sqz_winograd_dsp.h"

#include <string.h>

SQZ_FOR_SIZE

#define GROUP 4u

/* Where what is worked on lies. */
typedef struct work {
    uint32_t *inputs, *weights;
    uint32_t *sums;
    unsigned pairs; /* of channels */
} work;

static work make_room(const sqz_conv *conv, unsigned tiles, void *scratch) {
    const unsigned pairs = conv->in_channels / 2u;
    uint32_t *const weights = (uint32_t *)scratch + SQZ_PRODUCTS * pairs * tiles;
    return (work){scratch, weights, weights + SQZ_PRODUCTS * pairs * GROUP, pairs};
}

/* Inputs. */

/* Of tiles from `first` to before `end`, an even number. They are copied together where the weights will be. */
static void transform_inputs(const sqz_conv *conv, const sqz_rows *rows, const work *at, unsigned first, unsigned end) {
    int8_t *const edge = (int8_t *)at->weights;
    const unsigned channels = conv->in_channels, bytes = SQZ_IN_COLUMNS * channels;
    uint32_t *to = at->inputs;
    for (unsigned tile = first; tile < end; ++tile) {
        for (unsigned y = 0; y < rows->count + 2u; ++y) {
            const int start = ((int)(SQZ_TILE_COLUMNS * tile) - conv->pad_left) * (int)channels;
            sqz_window_run(conv, rows->in[y], start, (int)bytes, edge + y * bytes);
        }
        for (unsigned c = 0; c < channels; c += 2, to += 2 * SQZ_PRODUCTS) {
            sqz_winograd_inputs(to, edge + c / 4 * 4, channels, c % 4 * 4);
        }
        to -= tile % 2 ? 1 : 2 * SQZ_PRODUCTS * at->pairs - 1; /* the pair's second tile lies between the first's words */
    }
}

/* Outputs. */

static sqz_winograd_tile tile_of(const sqz_conv *conv) {
    const sqz_requant *to = &conv->requant;
    return (sqz_winograd_tile){
        .usual = to->zero_point == -128,
        .third = SQZ_THIRD,
        .stride = conv->out_stride,
        .relu = to->lowest == to->zero_point,
    };
}

static sqz_winograd_scale scale_of(const sqz_requant *to, const int8_t *record, size_t bytes, unsigned output) {
    const int8_t *const shifts = record + 4 * GROUP + bytes, *const multipliers = shifts + GROUP;
    const int shift = -1 - shifts[output];
    return (sqz_winograd_scale){
        .bias = 2 * sqz_record_bias(record, output),
        .multiplier = to->step ? (int32_t)sqz_load4(multipliers + 4 * output) : 1 << 30,
        .rounding = (2 * to->zero_point + 1) * (1 << shift),
        .shift = shift,
    };
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

/* Four outputs, up to `last`, of the tiles from `first` to before `end`. */
static void put_four(const sqz_conv *conv, const sqz_rows *rows, const work *at, sqz_winograd_tile *to, unsigned last,
                     unsigned first, unsigned end) {
    const uint32_t *inputs = at->inputs;
    for (unsigned tile = first; tile < end; tile += 2, inputs += 2 * SQZ_PRODUCTS * at->pairs) {
        sqz_winograd_sums(at->weights, inputs, at->sums, at->pairs);
        put(conv, rows, to, at->sums, last - last % GROUP, tile);
    }
}

/* All outputs of the tiles from `first` to before `end`. */
static void put_tiles(const sqz_conv *conv, const sqz_rows *rows, const work *at, unsigned first, unsigned end) {
    const size_t bytes = 18 * at->pairs, record_bytes = sqz_record_bytes(&conv->requant, GROUP, GROUP * bytes);
    sqz_winograd_scale scale[GROUP];
    sqz_winograd_tile to = tile_of(conv);
    to.scale = scale;
    for (unsigned o = 0; o < conv->out_channels; ++o) {
        const int8_t *const record = conv->weights + o / GROUP * record_bytes;
        const unsigned i = o % GROUP;
        scale[i] = scale_of(&conv->requant, record, GROUP * bytes, i);
        sqz_winograd_weights(at->weights + i, sqz_record_weights(record, GROUP) + i * bytes, at->pairs);
        if (i + 1 == GROUP) {
            put_four(conv, rows, at, &to, o, first, end);
        }
    }
}

void sqz_conv_winograd_row_dsp(const void *params, const sqz_rows *rows) {
    const sqz_conv_winograd *both = params;
    const sqz_conv *conv = &both->conv;
    const work at = make_room(conv, both->tiles, rows->scratch);
    const unsigned end = (conv->out_width + 2 * SQZ_TILE_COLUMNS - 1) / (2 * SQZ_TILE_COLUMNS) * 2;
    for (unsigned first = 0, next; first < end; first = next) {
        next = first + both->tiles < end ? first + both->tiles : end;
        transform_inputs(conv, rows, &at, first, next);
        put_tiles(conv, rows, &at, first, next);
    }
}
