/* A flash in plain memory, for a virtual board whose QEMU has no controller. It keeps the rules of a real part: SECTOR bytes
 * are erased at once, to FF; after that a word of WORD bytes is programmed once, whole. Who breaks them is told and ended.
 *
 * It begins erased and outlasts a reset, as a flash does: nothing of it is a variable that start-up would clear. Which words were
 * programmed is noted behind the slots. */
#include "../board.h"
#include "flash.h"

#include <string.h>

#define MADE 0x48534C46u /* "FLSH" */
#define WORD 4u
#define WORDS (2 * FLASH_SLOT_BYTES / WORD)

enum { EXIT_RULE = 5 };

typedef struct memory {
    uint8_t bytes[2 * FLASH_SLOT_BYTES];
    uint8_t programmed[WORDS]; /* since the sector was erased */
    uint32_t made;
} memory;

static memory *slots(void) {
    memory *flash = (memory *)(uintptr_t)sqz_slots;
    if (flash->made != MADE) {
        memset(flash->bytes, 0xFF, sizeof flash->bytes);
        memset(flash->programmed, 0, sizeof flash->programmed);
        flash->made = MADE;
    }
    return flash;
}

static uint32_t place(uint32_t at) { return at - (uint32_t)(uintptr_t)sqz_slots; }

static void keep(int rule, const char *text) {
    if (!rule) {
        board_write(text, strlen(text));
        board_exit(EXIT_RULE);
    }
}

static uint32_t size_of(void *context, uint32_t at) {
    (void)context;
    return place(at) % SECTOR == 0 && flash_is_slot(at, SECTOR) ? SECTOR : 0;
}

static int read_bytes(void *context, uint32_t at, void *to, uint32_t bytes) {
    (void)context;
    keep(flash_is_slot(at, bytes), "read outside of the flash\n");
    memcpy(to, slots()->bytes + place(at), bytes);
    return 0;
}

static int erase(void *context, uint32_t at) {
    keep(size_of(context, at) == SECTOR, "erased what is no sector\n");
    memset(slots()->bytes + place(at), 0xFF, SECTOR);
    memset(slots()->programmed + place(at) / WORD, 0, SECTOR / WORD);
    return 0;
}

static int program(void *context, uint32_t at, const void *from, uint32_t bytes) {
    (void)context;
    keep(place(at) % WORD == 0 && bytes % WORD == 0 && flash_is_slot(at, bytes), "programmed what are no whole words\n");
    for (uint32_t word = place(at) / WORD; word < (place(at) + bytes) / WORD; word++) {
        keep(!slots()->programmed[word], "programmed a word twice\n");
        slots()->programmed[word] = 1;
    }
    memcpy(slots()->bytes + place(at), from, bytes);
    return 0;
}

const sqz_flash board_flash = {.read = read_bytes, .erase = erase, .program = program, .size = size_of};
