#include "sqz_tile_copied.h"
#include "sqz_dot.h"

void sqz_copied_begin(sqz_copied_tile *tile, const sqz_conv *conv, const sqz_rows *rows) {
    sqz_window_begin(&tile->window, conv, rows);
    tile->patch = rows->scratch;
    tile->count = tile->window.rows * tile->window.bytes;
}

unsigned sqz_copied_fill(sqz_copied_tile *tile, unsigned x, unsigned most) {
    const sqz_window *window = &tile->window;
    const unsigned left = window->out_width - x, pixels = left < most ? left : most;
    for (unsigned i = 0; i < pixels; ++i) {
        const int start = sqz_window_start(window, x + i);
        int8_t *const to = tile->patch + i * tile->count;
        if (window->rows == 1 && sqz_window_inside(window, start, start)) {
            tile->inputs[i] = *window->in + start;
        } else {
            tile->inputs[i] = to;
            sqz_window_copy(window, x + i, 0, window->rows, to);
        }
    }
    if (pixels == 1) {
        tile->inputs[1] = tile->inputs[0];
    }
    return pixels;
}

const int8_t *sqz_copied_four(const sqz_copied_tile *tile, const int8_t *weights, unsigned o, int32_t *sum) {
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

int32_t sqz_copied_one(const sqz_copied_tile *tile, unsigned pixel, const int8_t *weights, unsigned o) {
    return tile->window.conv->bias[o] + sqz_dot(tile->inputs[pixel], weights, tile->count);
}

/* thumb_fours adds to four sums the products of `count` inputs, at least one, with four weights each. */
#if defined(__thumb__) && !defined(__thumb2__) && defined(__GNUC__)

#define PRODUCT(sum, at) "ldrb r3, [r1, #" at "]\n\tmuls r3, r2, r3\n\tadds " sum ", " sum ", r3\n\t"
#define INPUT(at, a, b, c, d) \
    "ldrb r2, [r0, #" at "]\n\tsxtb r2, r2\n\t" PRODUCT("r4", a) PRODUCT("r5", b) PRODUCT("r6", c) PRODUCT("r7", d)

/* First what makes no four. r0: inputs, r1: weights, r4 to r7: sums, ip: where a loop ends. */
static SQZ_NAKED void thumb_fours(const int8_t *inputs __attribute__((unused)),
                                  const int8_t *weights __attribute__((unused)), unsigned count __attribute__((unused)),
                                  int32_t *sum __attribute__((unused))) {
    __asm__(".syntax unified\n\t"
                     "adds r2, r0, r2\n\t"
                     "push {r2-r7, lr}\n\t"
                     "ldmia r3!, {r4-r7}\n\t"
                     "subs r2, r2, r0\n\t"
                     "movs r3, #3\n\t"
                     "ands r2, r2, r3\n\t"
                     "adds r2, r0, r2\n\t"
                     "mov ip, r2\n\t"
                     "cmp r0, ip\n\t"
                     "beq 2f\n"
                     "1:\t" INPUT("0", "0", "1", "2", "3") "adds r1, r1, #4\n\t"
                     "adds r0, r0, #1\n\t"
                     "cmp r0, ip\n\t"
                     "bne 1b\n"
                     "2:\tldr r2, [sp]\n\t"
                     "mov ip, r2\n\t"
                     "cmp r0, ip\n\t"
                     "beq 4f\n"
                     "3:\t" INPUT("0", "0", "1", "2", "3") INPUT("1", "4", "5", "6", "7")
                         INPUT("2", "8", "9", "10", "11") INPUT("3", "12", "13", "14", "15") "adds r1, r1, #16\n\t"
                     "adds r0, r0, #4\n\t"
                     "cmp r0, ip\n\t"
                     "bne 3b\n"
                     "4:\tldr r3, [sp, #4]\n\t"
                     "stmia r3!, {r4-r7}\n\t"
                     "pop {r2-r7, pc}");
}

#else

static void thumb_fours(const int8_t *inputs, const int8_t *weights, unsigned count, int32_t *sum) {
    for (; count; --count, ++inputs, weights += 4) {
        for (unsigned c = 0; c < 4; ++c) {
            sum[c] = (int32_t)((uint32_t)sum[c] + (uint32_t)(*inputs * (uint8_t)weights[c]));
        }
    }
}

#endif

const int8_t *sqz_thumb_four(const sqz_copied_tile *tile, const int8_t *weights, unsigned o, uint32_t taken, int32_t *sum) {
    for (unsigned c = 0; c < 4; ++c) {
        sum[c] = (int32_t)((uint32_t)tile->window.conv->bias[o + c] - taken);
    }
    thumb_fours(tile->inputs[0], weights, tile->count, sum);
    return weights + 4 * tile->count;
}
