/* Where the inputs of an output pixel lie, for the fast convolutions: a run of bytes in each kernel row, in place if all
 * of the window is inside the image, else to be copied together. */
#ifndef SQZ_WINDOW_H
#define SQZ_WINDOW_H
#include "sqz_ops.h"

/* All lengths are in bytes. */
typedef struct sqz_window {
    const int8_t *const *in;
    unsigned row_step;    /* from one kernel row's pointer in `in` to the next */
    unsigned rows, bytes; /* kernel rows; inputs in one */
    int step, before;     /* from one output pixel to the next; from the first one's window to the image */
    int end;              /* of a row; negative where no window lies in place: rows are missing, the kernel is dilated */
    unsigned out_width;
    const sqz_conv *conv;
} sqz_window;

/* From the image's start of a row to the window of output pixel x. */
static inline int sqz_window_start(const sqz_window *window, unsigned x) {
    return (int)x * window->step - window->before;
}

/* Whether windows from `start` to `last` lie in place. */
static inline int sqz_window_inside(const sqz_window *window, int start, int last) {
    return start >= 0 && last + (int)window->bytes <= window->end;
}

SQZ_CODE void sqz_window_begin(sqz_window *window, const sqz_conv *conv, const sqz_rows *rows);

/* Copy the inputs of output pixel x, of kernel rows `row` to before `end`; those outside the image are the zero point. */
SQZ_CODE void sqz_window_copy(const sqz_window *window, unsigned x, unsigned row, unsigned end, int8_t *to);

/* Copy a run of bytes of a row, or of none if it is null, from `start` on; those outside the image are the zero point. */
SQZ_CODE void sqz_window_run(const sqz_conv *conv, const int8_t *row, int start, int bytes, int8_t *to);
#endif
