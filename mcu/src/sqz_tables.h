/* Multipliers and shifts of four channels at a time, whether every channel has its own or all have the same. */
#ifndef SQZ_TABLES_H
#define SQZ_TABLES_H
#include "sqz_ops.h"

typedef struct sqz_tables {
    const int32_t *multiplier; /* of channels 0 to 3 */
    const int8_t *shift;
    unsigned multiplier_step, shift_step; /* from four channels to the next: 4 or 0 */
    int32_t same_multiplier[4];
    int8_t same_shift[4];
} sqz_tables;

static inline void sqz_tables_begin(sqz_tables *tables, const sqz_requant *to) {
    for (unsigned i = 0; i < 4; ++i) {
        tables->same_multiplier[i] = to->multiplier ? to->multiplier[0] : 1 << 30;
        tables->same_shift[i] = to->shift[0];
    }
    tables->multiplier_step = to->multiplier && to->step ? 4 : 0;
    tables->multiplier = tables->multiplier_step ? to->multiplier : tables->same_multiplier;
    tables->shift_step = to->step ? 4 : 0;
    tables->shift = tables->shift_step ? to->shift : tables->same_shift;
}
#endif
