/* A count of the processor's cycles. */
#ifndef SQZ_TICKS_H
#define SQZ_TICKS_H
#include <stdint.h>

#if defined(__riscv) /* mcycle counts from reset on */
static inline void ticks_start(void) {}

static inline uint32_t ticks(void) {
    uint32_t count;
    __asm__ volatile(".option push\n\t.option arch, +zicsr\n\tcsrr %0, mcycle\n\t.option pop" : "=r"(count));
    return count;
}
#else /* the trace unit, which a Cortex-M0 and M0+ lack: there it stays 0 */
#define DEMCR (*(volatile uint32_t *)0xE000EDFCu)
#define DWT_CTRL (*(volatile uint32_t *)0xE0001000u)
#define DWT_CYCCNT (*(volatile uint32_t *)0xE0001004u)

static inline void ticks_start(void) {
    DEMCR |= 1u << 24; /* TRCENA */
    DWT_CTRL |= 1u;    /* CYCCNTENA */
}

static inline uint32_t ticks(void) { return DWT_CYCCNT; }
#endif
#endif
