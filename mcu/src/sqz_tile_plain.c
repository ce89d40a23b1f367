#include "sqz_tile_plain.h"
#include "sqz_conv.h"

void sqz_plain_begin(sqz_plain_tile *tile, const sqz_conv *conv, const sqz_rows *rows) {
    sqz_window_begin(&tile->window, conv, rows);
    tile->rows = rows;
}

unsigned sqz_plain_turn(sqz_plain_tile *tile, unsigned x) {
    const sqz_window *window = &tile->window;
    const int start = sqz_window_start(window, x);
    tile->x = x;
    tile->start = start;
    tile->inside = sqz_window_inside(window, start, start);
    tile->pixels = 1;
    if (tile->inside && x + 1 < window->out_width && sqz_window_inside(window, start, start + window->step)) {
        tile->pixels = 2;
    }
    return tile->pixels;
}

/* Adds a run of both pixels' inputs for four channels; returns the weights that follow. */
static const int8_t *add_two(const int8_t *first, const int8_t *second, unsigned count, const int8_t *weights,
                             int32_t *sum) {
    const int8_t *const end = first + count;
    int32_t a = sum[0], b = sum[2], c = sum[4], d = sum[6], e = sum[1], f = sum[3], g = sum[5], h = sum[7];
    for (; first != end; weights += 4) {
        const int32_t x = *first++, y = *second++;
        a += x * weights[0];
        e += y * weights[0];
        b += x * weights[1];
        f += y * weights[1];
        c += x * weights[2];
        g += y * weights[2];
        d += x * weights[3];
        h += y * weights[3];
    }
    sum[0] = a;
    sum[1] = e;
    sum[2] = b;
    sum[3] = f;
    sum[4] = c;
    sum[5] = g;
    sum[6] = d;
    sum[7] = h;
    return weights;
}

/* Adds a run of one pixel's inputs, `step` bytes from one to the next. */
static const int8_t *add_one(const int8_t *inputs, unsigned step, unsigned count, const int8_t *weights, int32_t *sum) {
    int32_t a = sum[0], b = sum[2], c = sum[4], d = sum[6];
    for (; count; --count, inputs += step, weights += 4) {
        const int32_t x = *inputs;
        a += x * weights[0];
        b += x * weights[1];
        c += x * weights[2];
        d += x * weights[3];
    }
    sum[0] = a;
    sum[2] = b;
    sum[4] = c;
    sum[6] = d;
    return weights;
}

/* Adds a pixel's window, part of which is outside the image: every input is the zero point there. */
static const int8_t *add_edge(const sqz_plain_tile *tile, const int8_t *weights, int32_t *sum) {
    const sqz_conv *conv = tile->window.conv;
    const int8_t *const *in = tile->rows->in;
    for (unsigned row = conv->kernel_h; row; --row, in += conv->dilation_h) {
        int column = (int)(tile->x * conv->stride_w) - conv->pad_left;
        for (unsigned i = conv->kernel_w; i; --i, column += conv->dilation_w) {
            const int inside = *in && column >= 0 && column < conv->in_width;
            const int8_t *inputs = inside ? *in + column * conv->in_channels : &conv->input_zero_point;
            weights = add_one(inputs, inside ? 1 : 0, conv->in_channels, weights, sum);
        }
    }
    return weights;
}

const int8_t *sqz_plain_four(const sqz_plain_tile *tile, const int8_t *weights, unsigned o, int32_t *sum) {
    const sqz_window *window = &tile->window;
    const int32_t *bias = window->conv->bias + o;
    for (unsigned c = 0; c < 4; ++c) {
        sum[2 * c] = sum[2 * c + 1] = bias[c];
    }
    if (!tile->inside) {
        return add_edge(tile, weights, sum);
    }
    const int8_t *const *in = window->in;
    for (unsigned row = window->rows; row; --row, in += window->row_step) {
        const int8_t *first = *in + tile->start;
        weights = tile->pixels == 2 ? add_two(first, first + window->step, window->bytes, weights, sum)
                                    : add_one(first, 1, window->bytes, weights, sum);
    }
    return weights;
}

const int8_t *sqz_plain_one(const sqz_plain_tile *tile, const int8_t *weights, unsigned o, int32_t *sum) {
    const sqz_conv *conv = tile->window.conv;
    for (unsigned i = 0; i < tile->pixels; ++i) {
        sum[i] = conv->bias[o] + sqz_conv_sum(conv, tile->rows, tile->x + i, weights);
    }
    return weights + sqz_conv_inputs(conv);
}
