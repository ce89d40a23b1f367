/* What both libraries need of Java: to throw, and to reach the memory of a direct buffer. */
#ifndef SQZ_JNI_CALLS_H
#define SQZ_JNI_CALLS_H
#include <jni.h>
#include <stddef.h>

static inline void sqz_throw(JNIEnv *env, const char *what) {
    jclass type = (*env)->FindClass(env, "java/lang/IllegalStateException");
    if (type) {
        (*env)->ThrowNew(env, type, what);
    }
}

/* The start of a buffer; NULL, and an exception is on its way, where it is not direct or has fewer bytes. */
static inline void *sqz_memory(JNIEnv *env, jobject buffer, jlong bytes) {
    void *memory = buffer ? (*env)->GetDirectBufferAddress(env, buffer) : NULL;
    if (!memory || (*env)->GetDirectBufferCapacity(env, buffer) < bytes) {
        sqz_throw(env, "a buffer is not direct, or smaller than the model needs");
        return NULL;
    }
    return memory;
}

#endif
