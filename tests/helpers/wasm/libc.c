/* The part of a C library that test programs need in WebAssembly; host.mjs is what they run in. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST(name) __attribute__((import_module("host"), import_name(#name)))
#define PAGE 65536u

HOST(put) void host_put(const void *from, size_t bytes);
HOST(get) size_t host_get(void *to, size_t bytes); /* returns how many there were */

FILE stdin[1] = {0}, stdout[1] = {1};

size_t fwrite(const void *from, size_t size, size_t count, FILE *to) {
    (void)to;
    host_put(from, size * count);
    return count;
}

size_t fread(void *to, size_t size, size_t count, FILE *from) {
    (void)from;
    return host_get(to, size * count) / size;
}

int putchar(int byte) {
    const char text = (char)byte;
    host_put(&text, 1);
    return byte;
}

static void put_number(int number) {
    char digits[12];
    unsigned left = number < 0 ? 0u - (unsigned)number : (unsigned)number, at = sizeof digits;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (number < 0) {
        digits[--at] = '-';
    }
    host_put(digits + at, sizeof digits - at);
}

int printf(const char *format, ...) {
    va_list numbers;
    va_start(numbers, format);
    for (; *format; ++format) {
        if (format[0] == '%' && format[1] == 'd') {
            put_number(va_arg(numbers, int));
            ++format;
        } else {
            (void)putchar(*format);
        }
    }
    va_end(numbers);
    return 0;
}

void *malloc(size_t bytes) {
    const size_t pages = (bytes + PAGE - 1) / PAGE, before = __builtin_wasm_memory_grow(0, pages);
    return before == (size_t)-1 ? NULL : (void *)(before * PAGE);
}

void *aligned_alloc(size_t align, size_t bytes) {
    (void)align;
    return malloc(bytes);
}

void free(void *what) {
    (void)what;
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) {
        ((char *)to)[i] = ((const char *)from)[i];
    }
    return to;
}

void *memset(void *to, int byte, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) {
        ((char *)to)[i] = (char)byte;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t bytes) {
    const unsigned char *x = a, *y = b;
    for (; bytes; --bytes, ++x, ++y) {
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}

int strcmp(const char *a, const char *b) {
    for (; *a && *a == *b; ++a, ++b) {
    }
    return (unsigned char)*a - (unsigned char)*b;
}
