/* The flash that two slots lie in, one after another: the four functions that sqz_update.h asks for. Addresses are memory's. */
#ifndef SQZ_FLASH_H
#define SQZ_FLASH_H
#include "sqz_update.h"

#define FLASH_SLOT_BYTES (SQZ_SLOT_KB * 1024u) /* mcu/Makefile's SLOT_KB */

extern const uint8_t sqz_slots[]; /* where the first begins: from the linker script */

extern const sqz_flash board_flash;

/* Whether bytes are in a slot; nothing else is ever erased or programmed. */
static inline int flash_is_slot(uint32_t at, uint32_t bytes) {
    const uint32_t from = at - (uint32_t)(uintptr_t)sqz_slots; /* what lies before is far behind */
    return from <= 2 * FLASH_SLOT_BYTES && bytes <= 2 * FLASH_SLOT_BYTES - from;
}
#endif
