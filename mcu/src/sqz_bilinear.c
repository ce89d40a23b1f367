/* RESIZE_BILINEAR in integers with ten bits behind the point, as TFLite's reference kernel. */
#include "sqz_ops.h"

enum { UNIT = 1 << 10 };

/* Two neighbours and how far behind the first one, in 1 / UNIT; at the ends both may be the same. */
typedef struct between {
    int first, second, share;
} between;

static between place(const sqz_bilinear_axis *axis, int at) {
    const int scaled = at * axis->scale + axis->offset;
    const int first = scaled < 0 ? 0 : scaled / UNIT, second = (scaled + UNIT - 1) / UNIT;
    return (between){first, second < axis->size ? second : axis->size - 1, scaled - first * UNIT};
}

static int8_t mixed(int upper, int lower, const between *row) {
    const int32_t sum = upper * (UNIT - row->share) + lower * row->share;
    return (int8_t)((sum + (sum > 0 ? UNIT * UNIT / 2 : -UNIT * UNIT / 2)) / (UNIT * UNIT));
}

void sqz_bilinear_row(const void *params, const sqz_rows *rows) {
    const sqz_bilinear *bilinear = params;
    const between row = place(&bilinear->rows, rows->y);
    const int base = bilinear->whole ? 0 : (rows->y >> bilinear->doublings) - bilinear->top;
    const int8_t *upper = rows->in[row.first - base], *lower = rows->in[row.second - base];
    int8_t *out = rows->out;
    for (unsigned x = 0; x < bilinear->width; ++x, out += bilinear->out_stride) {
        const between column = place(&bilinear->columns, (int)x);
        const size_t left = (size_t)column.first * bilinear->channels, right = (size_t)column.second * bilinear->channels;
        for (unsigned c = 0; c < bilinear->channels; ++c) {
            const int above = upper[left + c] * (UNIT - column.share) + upper[right + c] * column.share;
            const int below = lower[left + c] * (UNIT - column.share) + lower[right + c] * column.share;
            out[c] = mixed(above, below, &row);
        }
    }
}
