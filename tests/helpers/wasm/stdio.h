#ifndef STDIO_H
#define STDIO_H
#include <stddef.h>

typedef const int FILE;
extern FILE stdin[1], stdout[1];

int printf(const char *format, ...); /* of text and %d alone */
int putchar(int byte);
size_t fread(void *to, size_t size, size_t count, FILE *from);
size_t fwrite(const void *from, size_t size, size_t count, FILE *to);
#endif
