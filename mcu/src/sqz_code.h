/* Where kernels lie, and how they are compiled whatever the program is. Included by sqz_ops.h.
 *
 * With -DSQZ_CODE_SECTION='".itcm"' the kernels and their inner loops go to that section, which a linker script puts into
 * fast memory: the rest stays in .text. */
#ifndef SQZ_CODE_H
#define SQZ_CODE_H

/* A program for size (-Os, which Arduino's is) still gets the kernels for speed. Clang has no such pragma. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE_SIZE__)
#pragma GCC optimize("O2")
#endif

/* Before functions that run once a row or seldom, or gain nothing by -O2: those that follow are compiled for size. */
#if defined(__GNUC__) && !defined(__clang__)
#define SQZ_FOR_SIZE _Pragma("GCC optimize(\"Os\")")
#else
#define SQZ_FOR_SIZE
#endif

#if defined(SQZ_CODE_SECTION) && defined(__GNUC__)
#define SQZ_CODE __attribute__((section(SQZ_CODE_SECTION)))
#else
#define SQZ_CODE
#endif

/* Of a function that must not share the registers of its caller: the caller or the function has a loop that counts. */
#if defined(__GNUC__)
#define SQZ_NOINLINE SQZ_CODE __attribute__((noinline))
#define SQZ_RARELY(condition) __builtin_expect(condition, 0)
#else
#define SQZ_NOINLINE
#define SQZ_RARELY(condition) (condition)
#endif

/* Of a function that is all assembly. */
#define SQZ_NAKED SQZ_CODE __attribute__((naked, noinline))
#endif
