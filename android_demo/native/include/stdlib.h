/* What the kit's C takes from Android's C library. */
#ifndef SQZ_STDLIB_H
#define SQZ_STDLIB_H
#include <stddef.h>

void *calloc(size_t count, size_t bytes);
void free(void *memory);

#endif
