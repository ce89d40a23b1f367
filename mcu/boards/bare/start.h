/* What a processor's reset ends with, once its stack pointer is set. */
#ifndef SQZ_START_H
#define SQZ_START_H

enum { SQZ_EXIT_FAULT = 4 };

/* Fill the variables, call main, end with its code. */
_Noreturn void sqz_start(void);
#endif
