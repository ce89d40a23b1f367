#include "sqz_tile_plain.h"
#include "sqz_dot.h"

void sqz_plain_begin(sqz_plain_tile *tile, const sqz_conv *conv, const sqz_rows *rows) {
    sqz_window_begin(&tile->window, conv, rows);
    tile->patch = rows->scratch;
    tile->count = tile->window.rows * tile->window.bytes;
}

void sqz_plain_fill(sqz_plain_tile *tile, unsigned x) {
    const sqz_window *window = &tile->window;
    for (unsigned i = 0; i < SQZ_PLAIN_PIXELS; ++i) {
        const unsigned at = x + i < window->out_width ? x + i : x;
        const int start = sqz_window_start(window, at);
        int8_t *const to = tile->patch + i * tile->count;
        if (window->rows == 1 && sqz_window_inside(window, start, start)) {
            tile->inputs[i] = *window->in + start;
        } else {
            tile->inputs[i] = to;
            sqz_window_copy(window, at, 0, window->rows, to);
        }
    }
}

const int8_t *sqz_plain_four(const sqz_plain_tile *tile, const int8_t *weights, unsigned o, int32_t *sum) {
    const int8_t *first = tile->inputs[0], *second = tile->inputs[1], *const end = first + tile->count;
    const int32_t *bias = tile->window.conv->bias + o;
    int32_t a = bias[0], b = bias[1], c = bias[2], d = bias[3], e = a, f = b, g = c, h = d;
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

const int8_t *sqz_plain_one(const sqz_plain_tile *tile, const int8_t *weights, unsigned o, int32_t *sum) {
    for (unsigned i = 0; i < SQZ_PLAIN_PIXELS; ++i) {
        sum[i] = tile->window.conv->bias[o] + sqz_dot(tile->inputs[i], weights, tile->count);
    }
    return weights + tile->count;
}
