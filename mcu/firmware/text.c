#include "text.h"

void put_decimal(int32_t value, char end) {
    char text[12]; /* sign, ten digits, end */
    size_t at = sizeof text;
    uint32_t rest = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    text[--at] = end;
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0) {
        text[--at] = '-';
    }
    board_write(text + at, sizeof text - at);
}
