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

/* A pipe gives what it holds at the moment, a file all at once: networks are counted with reading in it. */
size_t board_read(void *to, size_t bytes) {
    uint32_t arguments[] = {(uint32_t)cases, (uint32_t)(uintptr_t)to, bytes};
    int32_t missing;
    if (cases == -1) {
        return 0;
    }
    while ((missing = semihosting(SEMIHOSTING_READ, arguments)) != 0) {
        if (missing < 0 || (uint32_t)missing == arguments[2]) {
            return bytes - arguments[2];
        }
        arguments[1] += arguments[2] - (uint32_t)missing;
        arguments[2] = (uint32_t)missing;
    }
    return bytes;
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
