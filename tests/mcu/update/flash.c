#include "flash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void broken(const char *rule, uint32_t at) {
    fprintf(stderr, "the flash's rules were broken: %s at %u\n", rule, (unsigned)at);
    abort();
}

static uint32_t size_of(void *context, uint32_t at) {
    const flash *f = context;
    uint32_t start = 0;
    for (uint32_t i = 0; i < f->sector_count; start += f->sectors[i++]) {
        if (start == at) {
            return f->sectors[i];
        }
    }
    return 0;
}

void flash_make(flash *f, const char *sectors, uint32_t word) {
    memset(f, 0, sizeof *f);
    f->word = word;
    for (int slot = 0; slot < 2; ++slot) {
        for (const char *at = sectors; *at != '\0'; at += *at == ',') {
            char *end;
            const unsigned long bytes = strtoul(at, &end, 10), times = *end == 'x' ? strtoul(end + 1, &end, 10) : 1;
            for (unsigned long i = 0; i < times; ++i) {
                f->sectors[f->sector_count++] = (uint32_t)bytes;
                f->bytes += (uint32_t)bytes;
            }
            at = end;
        }
    }
    if (f->bytes > MOST_BYTES || f->sector_count > MOST_SECTORS) {
        broken("too large", f->bytes);
    }
    memset(f->memory, 0xFF, f->bytes);
}

static int read_bytes(void *context, uint32_t at, void *to, uint32_t bytes) {
    const flash *f = context;
    if (at > f->bytes || bytes > f->bytes - at) {
        broken("read outside", at);
    }
    memcpy(to, f->memory + at, bytes);
    return 0;
}

static void tell(flash *f, const flash_op *op) {
    ++f->operations;
    if (f->before != NULL) {
        f->before(f, op);
    }
}

static int erase(void *context, uint32_t at) {
    flash *f = context;
    const flash_op op = {FLASH_ERASE, at, size_of(f, at), NULL};
    if (op.bytes == 0) {
        broken("erased what is no sector", at);
    }
    tell(f, &op);
    memset(f->memory + at, 0xFF, op.bytes);
    memset(f->programmed + at / f->word, 0, op.bytes / f->word);
    return 0;
}

static int program(void *context, uint32_t at, const void *from, uint32_t bytes) {
    flash *f = context;
    const flash_op op = {FLASH_PROGRAM, at, bytes, from};
    if (at % f->word != 0 || bytes % f->word != 0 || at > f->bytes || bytes > f->bytes - at) {
        broken("programmed what are no whole words", at);
    }
    for (uint32_t i = at; i < at + bytes; i += f->word) {
        if (f->programmed[i / f->word]) {
            broken("programmed a word twice", i);
        }
    }
    tell(f, &op);
    for (uint32_t i = 0; i < bytes; ++i) {
        f->memory[at + i] &= op.from[i];
    }
    memset(f->programmed + at / f->word, 1, bytes / f->word);
    return 0;
}

sqz_flash flash_functions(flash *f) {
    return (sqz_flash){.context = f, .read = read_bytes, .erase = erase, .program = program, .size = size_of};
}

void flash_partly(flash *f, const flash_op *op, unsigned variant) {
    if (variant == 0) {
        return;
    }
    for (uint32_t i = 0; i < op->bytes; ++i) {
        const uint8_t some = variant == 1 ? (i < op->bytes / 2 ? 0xFF : 0) : (uint8_t)(rand() >> 7);
        uint8_t *byte = &f->memory[op->at + i];
        *byte = (uint8_t)(op->kind == FLASH_ERASE ? *byte | some : *byte & (uint8_t)(op->from[i] | ~some));
    }
    /* A word that was begun may not be programmed again; one that was not quite erased neither. */
    memset(f->programmed + op->at / f->word, 1, op->bytes / f->word);
}
