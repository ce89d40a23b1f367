/* All that the firmware asks of a board. A port is these five functions; `bare/`, `cortex_m/` and `riscv/` have most of one ready. */
#ifndef SQZ_BOARD_H
#define SQZ_BOARD_H
#include <stddef.h>
#include <stdint.h>

/* Make the others usable. */
void board_start(void);

/* The next `bytes` of what is to be classified: the file of cases, a camera. Returns how many there were. */
size_t board_read(void *to, size_t bytes);

/* Show text to a person. */
void board_write(const char *text, size_t bytes);

/* A running count of processor cycles; 0 always where there is none. */
uint32_t board_ticks(void);

/* End with a verdict: 0 is good. */
_Noreturn void board_exit(int code);

/* Not part of a port: what `bare/start.c` knows of the stack, 0 on the host. */
size_t board_stack_bytes(void); /* most that was ever used, exact to four bytes */

/* Not part of a port either: a Cortex-M's (`cortex_m/startup.c`). */
_Noreturn void board_reset(void);
void board_fault(void); /* what a fault ends in: a firmware may have its own */
#endif
