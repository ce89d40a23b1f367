/* As sqz_conv_fours_dsp.c, with the convolution's MEAN. */
#include "sqz_mean_row_dsp.h"

void sqz_conv_mean_fours_row_dsp(const void *params, const sqz_rows *rows) {
    sqz_dsp_mean_row(params, rows, 0, sqz_dsp_put_fours);
}
