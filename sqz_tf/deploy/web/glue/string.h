/* What the kit's C calls of C's library, for WebAssembly, which brings none. */
#ifndef SQZ_WEB_STRING_H
#define SQZ_WEB_STRING_H
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
int memcmp(const void *left, const void *right, size_t bytes);
void *memset(void *to, int value, size_t bytes);
#endif
