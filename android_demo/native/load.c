/* Every library that Java loads is asked for JNI_OnLoad, with those it needs: TFLite's has one that wants classes which
 * no package has, so each library has its own. */
#include <jni.h>

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *machine, void *reserved) {
    (void)machine;
    (void)reserved;
    return JNI_VERSION_1_6;
}
