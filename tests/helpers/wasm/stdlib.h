#ifndef STDLIB_H
#define STDLIB_H
#include <stddef.h>

void *malloc(size_t bytes);
void *aligned_alloc(size_t align, size_t bytes); /* align: 16 at most */
void free(void *what);                           /* nothing is given back */
#endif
