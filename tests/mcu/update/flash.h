/* A simulated flash that keeps a part's rules, and loses power: for tests of mcu/src/sqz_update.c.
 *
 * A sector is erased as a whole, to FF; a word is programmed once after that, and only whole. Who breaks a rule is told on
 * stderr and ended. Before each operation that changes something `before` is called, which may lose power in the middle of it. */
#ifndef FLASH_H
#define FLASH_H
#include <stddef.h>
#include <stdint.h>

#include "sqz_update.h"

#define MOST_SECTORS 512
#define MOST_BYTES (2u << 20)

typedef enum flash_kind { FLASH_ERASE, FLASH_PROGRAM } flash_kind;

typedef struct flash_op {
    flash_kind kind;
    uint32_t at, bytes;
    const uint8_t *from;
} flash_op;

typedef struct flash {
    uint8_t memory[MOST_BYTES];
    uint8_t programmed[MOST_BYTES / 4]; /* of each word since it was erased */
    uint32_t sectors[MOST_SECTORS], sector_count, word, bytes;
    unsigned long operations;
    void (*before)(struct flash *flash, const flash_op *op); /* null: power is there */
} flash;

/* The same sectors twice, one slot after the other, erased. */
void flash_make(flash *flash, const char *sectors, uint32_t word);
sqz_flash flash_functions(flash *flash);
/* An operation that is done in part: variant 0 not at all, 1 the first half, 2 and above some of the bits. */
void flash_partly(flash *flash, const flash_op *op, unsigned variant);
#endif
