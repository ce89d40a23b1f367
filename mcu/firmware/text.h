/* Text for a person, without stdio. */
#ifndef SQZ_FIRMWARE_TEXT_H
#define SQZ_FIRMWARE_TEXT_H
#include "../boards/board.h"

/* Both take a string literal. put_number adds a decimal number and `end`. */
#define put(literal) board_write(literal, sizeof literal - 1)
#define put_number(literal, value, end) (put(literal), put_decimal(value, end))

void put_decimal(int32_t value, char end);
#endif
