/* Espressif's chips under ESP-IDF: text on the console, cases linked in. */
#include "../../board.h"
#include "esp_cpu.h"
#include "esp_system.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include <stdio.h>

#define PAUSE_MS 3000 /* before the verdict is told again */

int sqz_main(void); /* main() of the firmware under another name: ESP-IDF has one already */
void app_main(void);

void app_main(void) { sqz_main(); }

void board_start(void) {}

size_t board_read(void *to, size_t bytes) {
    (void)to, (void)bytes;
    return 0;
}

void board_write(const char *text, size_t bytes) {
    fwrite(text, 1, bytes, stdout);
    fflush(stdout);
}

uint32_t board_ticks(void) { return (uint32_t)esp_cpu_get_cycle_count(); }

void board_exit(int code) {
    (void)code; /* the line "verdict N" has told it; it is told again after a restart */
    vTaskDelay(pdMS_TO_TICKS(PAUSE_MS));
    esp_restart();
    for (;;) {
    }
}

size_t board_stack_bytes(void) { return 0; }
