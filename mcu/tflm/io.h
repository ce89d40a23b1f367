/* What the application asks of its surroundings: two functions. io_stdio.cc is one answer; a board brings its own
 * (serial line, USB, camera). */
#ifndef SQZ_TFLM_IO_H
#define SQZ_TFLM_IO_H

#include <stddef.h>
#include <stdint.h>

namespace sqz_io {

/* Fills `to` with the next `count` bytes. Returns how many came: less than `count` only at the end of the input. */
size_t Read(uint8_t *to, size_t count);

/* Sends a text that ends in NUL. */
void Write(const char *text);

}  // namespace sqz_io

#endif  // SQZ_TFLM_IO_H
