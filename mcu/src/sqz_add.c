/* ADD. */
#include "sqz_sum.h"

void sqz_add_row(const void *params, const sqz_rows *rows) {
    sqz_sum_row(params, rows, 1, 1);
}
