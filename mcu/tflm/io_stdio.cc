/* io.h on the C library: a host, or firmware whose library is retargeted (semihosting, a serial line). */
#include <stdio.h>

#include "io.h"

namespace sqz_io {

size_t Read(uint8_t *to, size_t count) { return fread(to, 1, count, stdin); }

void Write(const char *text) {
  fputs(text, stdout);
  fflush(stdout);
}

}  // namespace sqz_io
