/* What the kit's C takes from Android's C library. */
#ifndef SQZ_STRING_H
#define SQZ_STRING_H
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);

#endif
