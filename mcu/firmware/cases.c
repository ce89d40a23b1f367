#include "cases.h"
#include "../boards/board.h"
#include "model.h"
#include <string.h>

#define MAGIC 0x435A5153u /* "SQZC" */

#ifdef SQZ_CASES /* a file to link in, for boards that cannot read one */
__asm__(".section .rodata.sqz_cases\n"
        ".balign 4\n"
        "sqz_cases: .incbin \"" SQZ_CASES "\"\n"
        "sqz_cases_end:\n"
        ".previous\n");
extern const uint8_t sqz_cases[], sqz_cases_end[];

static size_t read_some(void *to, size_t bytes) {
    static size_t at;
    const size_t left = (size_t)(sqz_cases_end - sqz_cases) - at;
    const size_t count = bytes < left ? bytes : left;
    memcpy(to, sqz_cases + at, count);
    at += count;
    return count;
}
#else
static size_t read_some(void *to, size_t bytes) { return board_read(to, bytes); }
#endif

bool cases_read(void *to, size_t bytes) { return read_some(to, bytes) == bytes; }

static uint32_t little_endian(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

bool cases_open(cases *found) {
    uint8_t header[16];
    if (!cases_read(header, sizeof header) || little_endian(header) != MAGIC) {
        return false;
    }
    const uint32_t output_bytes = little_endian(header + 12);
    found->count = little_endian(header + 4);
    found->with_outputs = output_bytes != 0;
    const bool outputs_fit = output_bytes == 0 || output_bytes == SQZ_MODEL_OUTPUT_BYTES;
    return little_endian(header + 8) == SQZ_MODEL_INPUT_BYTES && outputs_fit;
}
