/* A Cortex-M with nothing but a serial line: its cases are linked in, and it tells its verdict again and again. */
#include "serial_board.h"
#include "../bare/ticks.h"
#include "../board.h"

#define PAUSE 10000000u /* turns of a loop: some seconds */

void board_start(void) {
    ticks_start();
    serial_start();
}

size_t board_read(void *to, size_t bytes) {
    (void)to, (void)bytes;
    return 0;
}

void board_write(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        serial_put(text[i]);
    }
}

uint32_t board_ticks(void) { return ticks(); }

void board_exit(int code) {
    (void)code; /* the line "verdict N" has told it */
    for (volatile uint32_t turn = 0; turn < PAUSE; turn++) {
    }
    board_reset();
}
