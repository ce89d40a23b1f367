#include "sqz_neon.h"

#if defined(SQZ_NEON)

#if defined(__ARM_FEATURE_MATMUL_INT8)

int sqz_neon_level(void) {
    return SQZ_NEON_MATRIX;
}

#elif defined(__linux__)

#define CAPABILITIES 16u /* AT_HWCAP */
#define DOT_PRODUCT (1ul << 20)
#define MORE_CAPABILITIES 26u /* AT_HWCAP2 */
#define MATRIX_PRODUCT (1ul << 13)

unsigned long getauxval(unsigned long what); /* as sys/auxv.h says, which not every build has */

static int found(void) {
    if (getauxval(MORE_CAPABILITIES) & MATRIX_PRODUCT) {
        return SQZ_NEON_MATRIX;
    }
    return getauxval(CAPABILITIES) & DOT_PRODUCT ? SQZ_NEON_DOT : SQZ_NEON_BASE;
}

/* Asked once: every thread finds the same. */
int sqz_neon_level(void) {
    static int known; /* 1 + what was found */
    int level = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (!level) {
        level = 1 + found();
        __atomic_store_n(&known, level, __ATOMIC_RELAXED);
    }
    return level - 1;
}

#elif defined(__ARM_FEATURE_DOTPROD)

int sqz_neon_level(void) {
    return SQZ_NEON_DOT;
}

#else

int sqz_neon_level(void) {
    return SQZ_NEON_BASE;
}

#endif
#endif
