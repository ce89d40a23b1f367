/* org.sqztf.core.ExactEngine: the C of the bundled models, as it runs on a microcontroller. */
#include "exact.h"
#include "jni_calls.h"

static int same(const char *a, const jbyte *b, jsize bytes) {
    jsize i = 0;
    while (i < bytes && a[i] && a[i] == b[i]) {
        ++i;
    }
    return i == bytes && !a[i];
}

/* The number of the model whose file has this SHA-256; -1 if there is none. */
JNIEXPORT jint JNICALL Java_org_sqztf_core_ExactEngine_find(JNIEnv *env, jclass type, jobject sha256, jint bytes) {
    (void)type;
    const jbyte *wanted = sqz_memory(env, sha256, bytes);
    for (int i = 0; wanted && i < sqz_exact_count; ++i) {
        if (same(sqz_exact_models[i].sha256, wanted, bytes)) {
            return i;
        }
    }
    return -1;
}

/* Bytes of memory that a run of the model needs. */
JNIEXPORT jint JNICALL Java_org_sqztf_core_ExactEngine_memory(JNIEnv *env, jclass type, jint model) {
    (void)env;
    (void)type;
    return (jint)(sqz_exact_models[model].arena_bytes + SQZ_EXACT_ALIGN);
}

JNIEXPORT void JNICALL Java_org_sqztf_core_ExactEngine_run(JNIEnv *env, jclass type, jint model, jobject memory,
                                                           jobject input, jobject output) {
    (void)type;
    const sqz_exact_model *exact = &sqz_exact_models[model];
    const uintptr_t start = (uintptr_t)sqz_memory(env, memory, (jlong)exact->arena_bytes + SQZ_EXACT_ALIGN);
    const int8_t *in = start ? sqz_memory(env, input, exact->input_bytes) : NULL;
    int8_t *out = in ? sqz_memory(env, output, exact->output_bytes) : NULL;
    if (!out) {
        return;
    }
    void *arena = (void *)((start + SQZ_EXACT_ALIGN - 1) / SQZ_EXACT_ALIGN * SQZ_EXACT_ALIGN);
    if (exact->invoke(arena, in, out) != 0) {
        sqz_throw(env, "the compiled model failed");
    }
}
