/* From reset to main on any Cortex-M, and a measure of the stack: all of it is painted before its first use. */
#include "../board.h"
#include "semihosting.h"
#include <string.h>

#define PAINT 0x5A5A5A5Au
#define BREAKPOINT_SEMIHOSTING 0xBEABu
#define EXIT_FAULT 4
#define CPACR (*(volatile uint32_t *)0xE000ED88u)

/* From the linker script. */
extern uint32_t sqz_data_start[], sqz_data_end[], sqz_bss_start[], sqz_bss_end[], sqz_stack_top[];
extern const uint32_t sqz_data_image[];

int main(void);
void sqz_reset(void);
void sqz_fault(void);
void sqz_on_fault(uint32_t *frame);

/* The processor's own exceptions; no interrupt is ever enabled. */
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*reset)(void), (*exceptions[14])(void);
} vectors = {
    sqz_stack_top,
    sqz_reset,
    {sqz_fault, sqz_fault, sqz_fault, sqz_fault, sqz_fault, sqz_fault, sqz_fault,
     sqz_fault, sqz_fault, sqz_fault, sqz_fault, sqz_fault, sqz_fault, sqz_fault},
};

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

void sqz_reset(void) {
    CPACR |= 0xFu << 20; /* floating-point and vector registers */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    memcpy(sqz_data_start, sqz_data_image, (size_t)((char *)sqz_data_end - (char *)sqz_data_start));
    memset(sqz_bss_start, 0, (size_t)((char *)sqz_bss_end - (char *)sqz_bss_start));
    paint_stack();
    board_exit(main());
}

/* Every exception ends here, with the stacked registers (r0 … r3, r12, lr, pc, xpsr) as argument. */
__attribute__((naked)) void sqz_fault(void) {
    __asm__ volatile("mrs r0, msp\n\tb sqz_on_fault");
}

__attribute__((used)) void sqz_on_fault(uint32_t *frame) {
    const uint16_t *const instruction = (const uint16_t *)(uintptr_t)frame[6];
    if (*instruction == BREAKPOINT_SEMIHOSTING) { /* nobody listens: the call fails and the program goes on */
        frame[0] = UINT32_MAX;
        frame[6] += 2;
        return;
    }
    board_exit(EXIT_FAULT);
}
