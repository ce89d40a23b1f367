/* From the first instruction in C to main, and a measure of the stack: all of it is painted before its first use. */
#include "start.h"
#include "../board.h"
#include <string.h>

#define PAINT 0x5A5A5A5Au

/* From the linker script. */
extern uint32_t sqz_data_start[], sqz_data_end[], sqz_bss_start[], sqz_bss_end[], sqz_stack_top[];
extern const uint32_t sqz_data_image[];

int main(void);

/* Everything between the variables and here; this function itself has pushed at most what lies above `here`. */
static void paint_stack(void) {
    uint32_t *const here = __builtin_frame_address(0);
    for (volatile uint32_t *word = sqz_bss_end; word < here - 8; word++) {
        *word = PAINT;
    }
}

size_t board_stack_bytes(void) {
    const volatile uint32_t *word = sqz_bss_end;
    while (word < sqz_stack_top && *word == PAINT) {
        word++;
    }
    return (size_t)((const char *)sqz_stack_top - (const char *)word);
}

void sqz_start(void) {
    memcpy(sqz_data_start, sqz_data_image, (size_t)((char *)sqz_data_end - (char *)sqz_data_start));
    memset(sqz_bss_start, 0, (size_t)((char *)sqz_bss_end - (char *)sqz_bss_start));
    paint_stack();
    board_exit(main());
}
