/* nRF51's flash (Series Reference Manual v3.0, chapter 6, NVMC): pages of 1 KB, words of four bytes. The processor waits
 * while the controller works, so nothing has to run from RAM. */
#include "flash.h"

#include <string.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define NVMC_READY REGISTER(0x4001E400u)
#define NVMC_CONFIG REGISTER(0x4001E504u)
#define NVMC_ERASEPAGE REGISTER(0x4001E508u)
#define PAGE 1024u

enum { READ_ONLY = 0, WRITE = 1, ERASE = 2 }; /* of CONFIG */

static void wait_until_ready(void) {
    while (NVMC_READY == 0) {
    }
}

static void allow(uint32_t what) {
    NVMC_CONFIG = what;
    wait_until_ready();
}

static uint32_t size_of(void *context, uint32_t at) {
    (void)context;
    return at % PAGE == 0 && flash_is_slot(at, PAGE) ? PAGE : 0;
}

static int read_bytes(void *context, uint32_t at, void *to, uint32_t bytes) {
    (void)context;
    memcpy(to, (const void *)(uintptr_t)at, bytes);
    return 0;
}

static int erase(void *context, uint32_t at) {
    if (size_of(context, at) == 0) {
        return -1;
    }
    allow(ERASE);
    NVMC_ERASEPAGE = at;
    wait_until_ready();
    allow(READ_ONLY);
    return 0;
}

static int program(void *context, uint32_t at, const void *from, uint32_t bytes) {
    (void)context;
    if (at % 4 != 0 || bytes % 4 != 0 || !flash_is_slot(at, bytes)) {
        return -1;
    }
    allow(WRITE);
    for (uint32_t i = 0; i < bytes; i += 4) {
        uint32_t word;
        memcpy(&word, (const uint8_t *)from + i, sizeof word);
        REGISTER(at + i) = word;
        wait_until_ready();
    }
    allow(READ_ONLY);
    return 0;
}

const sqz_flash board_flash = {.read = read_bytes, .erase = erase, .program = program, .size = size_of};
