/* A processor with a debug probe, or one in QEMU: files and text by semihosting. */
#include "../board.h"
#include "semihosting.h"
#include "ticks.h"

#define CASES "sqz_cases.bin" /* in the folder QEMU or OpenOCD runs in */

static int32_t cases, console;

static int32_t open_file(const char *name, uint32_t length, uint32_t mode) {
    const uint32_t arguments[] = {(uint32_t)(uintptr_t)name, mode, length};
    return semihosting(SEMIHOSTING_OPEN, arguments);
}

void board_start(void) {
    ticks_start();
    console = open_file(SEMIHOSTING_CONSOLE, sizeof SEMIHOSTING_CONSOLE - 1, SEMIHOSTING_WRITE_TEXT);
    cases = open_file(CASES, sizeof CASES - 1, SEMIHOSTING_READ_BINARY);
}

/* A pipe gives what it holds at the moment. */
static size_t read_some(uint8_t *to, size_t bytes) {
    const uint32_t arguments[] = {(uint32_t)cases, (uint32_t)(uintptr_t)to, bytes};
    const int32_t missing = cases == -1 ? -1 : semihosting(SEMIHOSTING_READ, arguments);
    return missing < 0 ? 0 : bytes - (size_t)missing;
}

size_t board_read(void *to, size_t bytes) {
    size_t all = 0, some = 1;
    while (all < bytes && some != 0) {
        some = read_some((uint8_t *)to + all, bytes - all);
        all += some;
    }
    return all;
}

void board_write(const char *text, size_t bytes) {
    const uint32_t arguments[] = {(uint32_t)console, (uint32_t)(uintptr_t)text, bytes};
    (void)semihosting(SEMIHOSTING_WRITE, arguments);
}

uint32_t board_ticks(void) { return ticks(); }

void board_exit(int code) {
    const uint32_t arguments[] = {SEMIHOSTING_APPLICATION_EXIT, (uint32_t)code};
    for (;;) {
        (void)semihosting(SEMIHOSTING_EXIT_EXTENDED, arguments);
    }
}
