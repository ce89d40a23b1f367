/* A convolution and its MEAN for processors with SMLAD. */
#include "sqz_mean_row_dsp.h"

void sqz_conv_mean_row_dsp(const void *params, const sqz_rows *rows) {
    sqz_dsp_mean_row(params, rows, sqz_dsp_channels);
}
