/* Runs the package's libraries as the app does, with as much of Java as they call: drive fast FILE THREADS INPUT OUTPUT,
 * or drive exact SHA-256 INPUT OUTPUT. Reads inputs to their end and writes outputs; at last, to stderr, how many
 * threads were made and the seconds of all runs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <jni.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Android keeps its stack guard at tp + 0x28, where glibc has the first thread-local variables of the program. */
static __thread volatile char reserved[256] __attribute__((aligned(16)));

typedef struct buffer {
    void *memory;
    jlong bytes;
} buffer;

static jclass find_class(JNIEnv *env, const char *name) {
    (void)env;
    return (jclass)(void *)name;
}

static jint throw_new(JNIEnv *env, jclass type, const char *what) {
    (void)env;
    fprintf(stderr, "%s: %s\n", (const char *)(void *)type, what);
    exit(4);
}

static void *address(JNIEnv *env, jobject object) {
    (void)env;
    return ((buffer *)(void *)object)->memory;
}

static jlong capacity(JNIEnv *env, jobject object) {
    (void)env;
    return ((buffer *)(void *)object)->bytes;
}

static struct JNINativeInterface_ functions = {
    .FindClass = find_class,
    .ThrowNew = throw_new,
    .GetDirectBufferAddress = address,
    .GetDirectBufferCapacity = capacity,
};
static JNIEnv java = &functions;

static buffer allocate(jlong bytes) {
    return (buffer){malloc((size_t)bytes), bytes};
}

static jobject object(buffer *of) {
    return (jobject)(void *)of;
}

static buffer whole_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) exit(5);
    fseek(file, 0, SEEK_END);
    buffer read = allocate(ftell(file));
    rewind(file);
    if (fread(read.memory, 1, (size_t)read.bytes, file) != (size_t)read.bytes) exit(5);
    return read;
}

static void *function(void *from, const char *name) {
    void *found = dlsym(from, name);
    if (!found) exit(7);
    return found;
}

/* As System.loadLibrary does it: JNI_OnLoad may be one of the libraries that this one needs, which must not be. */
static void *library(const char *name) {
    void *found = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!found) {
        fprintf(stderr, "%s\n", dlerror());
        exit(6);
    }
    jint (*load)(JavaVM *, void *) = function(found, "JNI_OnLoad");
    Dl_info of;
    if (!dladdr((void *)load, &of) || !strstr(of.dli_fname, name)) {
        fprintf(stderr, "%s has no JNI_OnLoad of its own\n", name);
        exit(9);
    }
    if (load(NULL, NULL) != JNI_VERSION_1_6) exit(9);
    return found;
}

static buffer input, output, memory;
static jlong handle;
static jint number;
static void (*run_fast)(JNIEnv *, jclass, jlong, jobject, jobject);
static void (*close_fast)(JNIEnv *, jclass, jlong);
static void (*run_exact)(JNIEnv *, jclass, jint, jobject, jobject, jobject);

static void open_fast(char **words) {
    void *from = library("libsqz_fast.so");
    jlong (*open)(JNIEnv *, jclass, jobject, jlong, jint, jlong, jlong) =
        function(from, "Java_org_sqztf_core_FastEngine_open");
    static buffer file;
    file = whole_file(words[0]);
    run_fast = function(from, "Java_org_sqztf_core_FastEngine_run");
    close_fast = function(from, "Java_org_sqztf_core_FastEngine_close");
    handle = open(&java, NULL, object(&file), file.bytes, atoi(words[1]), atol(words[2]), atol(words[3]));
}

static void open_exact(char **words) {
    void *from = library("libsqz_exact.so");
    jint (*find)(JNIEnv *, jclass, jobject, jint) = function(from, "Java_org_sqztf_core_ExactEngine_find");
    jint (*bytes)(JNIEnv *, jclass, jint) = function(from, "Java_org_sqztf_core_ExactEngine_memory");
    run_exact = function(from, "Java_org_sqztf_core_ExactEngine_run");
    buffer wanted = {words[0], (jlong)strlen(words[0])};
    number = find(&java, NULL, object(&wanted), (jint)wanted.bytes);
    if (number < 0) exit(8);
    memory = allocate(bytes(&java, NULL, number));
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double run(void) {
    const double start = now();
    if (run_fast) {
        run_fast(&java, NULL, handle, object(&input), object(&output));
    } else {
        run_exact(&java, NULL, number, object(&memory), object(&input), object(&output));
    }
    return now() - start;
}

int main(int argc, char **argv) {
    reserved[0x28] = 1;
    if (argc < 5) return 2;
    input = allocate(atol(argv[argc - 2]));
    output = allocate(atol(argv[argc - 1]));
    (strcmp(argv[1], "fast") == 0 ? open_fast : open_exact)(argv + 2);
    double seconds = 0;
    while (fread(input.memory, 1, (size_t)input.bytes, stdin) == (size_t)input.bytes) {
        seconds += run();
        fwrite(output.memory, 1, (size_t)output.bytes, stdout);
    }
    if (run_fast) {
        close_fast(&java, NULL, handle);
    }
    void *shim = dlopen("libshim.so", RTLD_NOW);
    int (*made)(void) = shim ? function(shim, "threads_made") : NULL;
    fprintf(stderr, "%d %.3f\n", made ? made() : 0, seconds);
    return fflush(stdout) != 0;
}
