/* The one model this firmware is built for, under names that do not change. mcu/Makefile defines SQZ_MODEL (its name),
 * SQZ_MODEL_UPPER (the same in upper case) and SQZ_MODEL_HEADER. */
#ifndef SQZ_FIRMWARE_MODEL_H
#define SQZ_FIRMWARE_MODEL_H
#include SQZ_MODEL_HEADER

#define SQZ_JOIN_(a, b) a##b
#define SQZ_JOIN(a, b) SQZ_JOIN_(a, b)
#define SQZ_TEXT_(a) #a
#define SQZ_TEXT(a) SQZ_TEXT_(a)

#define MODEL_NAME SQZ_TEXT(SQZ_MODEL)
#define model_begin SQZ_JOIN(SQZ_MODEL, _begin)
#define model_push_row SQZ_JOIN(SQZ_MODEL, _push_row)
#define model_finish SQZ_JOIN(SQZ_MODEL, _finish)

#define MODEL_ARENA_BYTES SQZ_JOIN(SQZ_MODEL_UPPER, _ARENA_BYTES)
#define MODEL_ARENA_ALIGN SQZ_JOIN(SQZ_MODEL_UPPER, _ARENA_ALIGN)
#define MODEL_INPUT_BYTES SQZ_JOIN(SQZ_MODEL_UPPER, _INPUT_BYTES)
#define MODEL_INPUT_HEIGHT SQZ_JOIN(SQZ_MODEL_UPPER, _INPUT_HEIGHT)
#define MODEL_OUTPUT_BYTES SQZ_JOIN(SQZ_MODEL_UPPER, _OUTPUT_BYTES)
#define MODEL_INPUT_ROW_BYTES SQZ_JOIN(SQZ_MODEL_UPPER, _INPUT_ROW_BYTES)
#endif
