/* The one model this firmware is built for, under names that do not change, and that no model's can be: those begin with
 * anything but sqz. mcu/Makefile defines SQZ_MODEL_NAME (a string), SQZ_MODEL_LOWER and SQZ_MODEL_UPPER (what its
 * functions and macros begin with, to the underscore, for NULL alone would be expanded) and SQZ_MODEL_HEADER (NAME.h with
 * its folder, for NAME may be a file's here). */
#ifndef SQZ_FIRMWARE_MODEL_H
#define SQZ_FIRMWARE_MODEL_H
#include SQZ_MODEL_HEADER

#define SQZ_JOIN_(a, b) a##b
#define SQZ_JOIN(a, b) SQZ_JOIN_(a, b)

#if defined(SQZ_MODEL_LABELS)
#include SQZ_MODEL_LABELS
#define sqz_model_labels SQZ_JOIN(SQZ_MODEL_LOWER, labels)
#endif

#define sqz_model_begin SQZ_JOIN(SQZ_MODEL_LOWER, begin)
#define sqz_model_push_row SQZ_JOIN(SQZ_MODEL_LOWER, push_row)
#define sqz_model_finish SQZ_JOIN(SQZ_MODEL_LOWER, finish)
/* Of a program whose weights lie in a slot: */
#define sqz_model_open SQZ_JOIN(SQZ_MODEL_LOWER, open)
#define sqz_model_self_test SQZ_JOIN(SQZ_MODEL_LOWER, self_test)
#define sqz_model_network SQZ_JOIN(SQZ_MODEL_LOWER, network)

#define SQZ_MODEL_ARENA_BYTES SQZ_JOIN(SQZ_MODEL_UPPER, ARENA_BYTES)
#define SQZ_MODEL_ARENA_ALIGN SQZ_JOIN(SQZ_MODEL_UPPER, ARENA_ALIGN)
#define SQZ_MODEL_INPUT_BYTES SQZ_JOIN(SQZ_MODEL_UPPER, INPUT_BYTES)
#define SQZ_MODEL_INPUT_HEIGHT SQZ_JOIN(SQZ_MODEL_UPPER, INPUT_HEIGHT)
#define SQZ_MODEL_OUTPUT_BYTES SQZ_JOIN(SQZ_MODEL_UPPER, OUTPUT_BYTES)
#define SQZ_MODEL_INPUT_ROW_BYTES SQZ_JOIN(SQZ_MODEL_UPPER, INPUT_ROW_BYTES)
#endif
