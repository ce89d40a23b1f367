/* SUB, the second from the first and the first from the second. */
#include "sqz_sum.h"

void sqz_sub_row(const void *params, const sqz_rows *rows) {
    sqz_sum_row(params, rows, 1, -1);
}

void sqz_sub_from_row(const void *params, const sqz_rows *rows) {
    sqz_sum_row(params, rows, -1, 1);
}
