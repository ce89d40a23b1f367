#include "sqz_window.h"
#include "sqz_bytes.h"

static int between(int low, int value, int high) {
    return value < low ? low : value > high ? high : value;
}

/* A run of bytes from `start` on in a row: `left` outside the image, `inside`, and `right` outside; all is if there is no
 * row. */
static void copy_run(int8_t *to, const int8_t *row, int start, int left, int inside, int right, int8_t outside) {
    if (!row) {
        left += inside + right;
        inside = right = 0;
    }
    if (left) {
        sqz_set(to, outside, (unsigned)left);
    }
    if (inside) {
        sqz_copy(to + left, row + (start + left), (unsigned)inside);
    }
    if (right) {
        sqz_set(to + left + inside, outside, (unsigned)right);
    }
}

void sqz_window_begin(sqz_window *window, const sqz_conv *conv, const sqz_rows *rows) {
    const unsigned channels = conv->in_channels;
    window->in = rows->in;
    window->row_step = conv->dilation_h;
    window->rows = conv->kernel_h;
    window->bytes = conv->kernel_w * channels;
    window->step = (int)(conv->stride_w * channels);
    window->before = (int)(conv->pad_left * channels);
    window->end = (int)(conv->in_width * channels);
    window->out_width = conv->out_width;
    window->conv = conv;
    for (unsigned i = 0; i < window->rows; ++i) {
        if (conv->dilation_w > 1 || !rows->in[i * conv->dilation_h]) {
            window->end = -1;
        }
    }
}

/* The runs of one or, if the kernel is dilated, of each column of taps; how much of a run lies inside the image is the
 * same in all rows. */
void sqz_window_copy(const sqz_window *window, unsigned x, unsigned row, unsigned end, int8_t *to) {
    const sqz_conv *conv = window->conv;
    const int dilated = conv->dilation_w > 1, channels = conv->in_channels, row_bytes = conv->in_width * channels;
    const int bytes = dilated ? channels : (int)window->bytes;
    int start = sqz_window_start(window, x);
    for (int8_t *run = to; run < to + window->bytes; run += bytes, start += conv->dilation_w * channels) {
        const int left = between(0, -start, bytes), right = between(0, start + bytes - row_bytes, bytes - left);
        int8_t *at = run;
        for (unsigned i = row; i < end; ++i, at += window->bytes) {
            const int inside = bytes - left - right;
            copy_run(at, window->in[i * window->row_step], start, left, inside, right, conv->input_zero_point);
        }
    }
}

void sqz_window_run(const sqz_conv *conv, const int8_t *row, int start, int bytes, int8_t *to) {
    const int row_bytes = conv->in_width * conv->in_channels;
    const int left = between(0, -start, bytes), right = between(0, start + bytes - row_bytes, bytes - left);
    copy_run(to, row, start, left, bytes - left - right, right, conv->input_zero_point);
}
