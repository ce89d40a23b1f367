/* A row of a constant map, for operators of two operands. */
#include "sqz_ops.h"

#include <string.h>

void sqz_constant_row(const void *params, const sqz_rows *rows) {
    const sqz_constant *constant = params;
    const size_t bytes = (size_t)constant->width * constant->channels;
    memcpy(rows->out, constant->values + rows->y * bytes, bytes);
}
