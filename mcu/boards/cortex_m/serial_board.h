/* A serial line to write on: all that is left to say of a chip without a debug probe. 115,200 baud, 8N1. */
#ifndef SQZ_SERIAL_BOARD_H
#define SQZ_SERIAL_BOARD_H

void serial_start(void);
void serial_put(char letter);
#endif
