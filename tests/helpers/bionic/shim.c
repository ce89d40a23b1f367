/* What Android's C library has and glibc has not, or has otherwise, for the package's libraries to be run here. Whatever
 * else they import is handed on to glibc by functions that android_natives.py writes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int made;
static char *old_start, *old_end;

/* How many threads the libraries have made. */
int threads_made(void) {
    return made;
}

static void *glibc(const char *name) {
    static void *libraries[2];
    if (!libraries[0]) {
        libraries[0] = dlopen("libc.so.6", RTLD_NOW);
        libraries[1] = dlopen("libm.so.6", RTLD_NOW);
    }
    void *found = dlsym(libraries[0], name);
    return found ? found : dlsym(libraries[1], name);
}

/* Find what stands behind each name, up to NULL: a function of this file, else glibc's. */
void hand_on(const char *const *names, void **found, void **error_file, char *old_files, size_t old_bytes) {
    old_start = old_files;
    old_end = old_files + old_bytes;
    void *own = dlopen("libshim.so", RTLD_NOW);
    char bionic[64];
    *error_file = stderr;
    for (; *names; ++names, ++found) {
        snprintf(bionic, sizeof bionic, "bionic_%s", *names);
        *found = dlsym(own, bionic);
        *found = *found ? *found : glibc(*names);
        if (!*found) {
            fprintf(stderr, "neither the shim nor glibc has %s\n", *names);
        }
    }
}

/* XNNPACK and cpuinfo ask for the version of Android, and do nothing at all where there is none. */
int bionic___system_property_get(const char *name, char *value) {
    const char *known = strcmp(name, "ro.build.version.sdk") == 0 ? "35" : "";
    strcpy(value, known);
    return (int)strlen(known);
}

/* The C++ library flushes its streams at the end, those of Android's old FILEs among them. */
int bionic_fflush(FILE *file) {
    int (*real)(FILE *) = glibc("fflush");
    const char *at = (const char *)file;
    return at >= old_start && at < old_end ? 0 : real(file);
}

/* Android's numbers differ from glibc's. */
long bionic_sysconf(int name) {
    long (*real)(int) = glibc("sysconf");
    switch (name) {
    case 39:
    case 40:
        return real(_SC_PAGESIZE);
    case 96:
        return real(_SC_NPROCESSORS_CONF);
    case 97:
        return real(_SC_NPROCESSORS_ONLN);
    default:
        errno = EINVAL;
        return -1;
    }
}

/* Android's mutex has 40 bytes; glibc's may have 48, all of which it clears. */
int bionic_pthread_mutex_init(void *mutex, const pthread_mutexattr_t *attributes) {
    int (*real)(pthread_mutex_t *, const pthread_mutexattr_t *) = glibc("pthread_mutex_init");
    pthread_mutex_t own;
    const int status = real(&own, attributes);
    memcpy(mutex, &own, 40);
    return status;
}

int bionic_pthread_create(pthread_t *thread, const void *attributes, void *(*start)(void *), void *given) {
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = glibc("pthread_create");
    __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
    return attributes ? EINVAL : real(thread, NULL, start, given);
}

int *bionic___errno(void) {
    return &errno;
}

size_t bionic___strlen_chk(const char *text, size_t room) {
    (void)room;
    return strlen(text);
}

char *bionic___strchr_chk(const char *text, int wanted, size_t room) {
    (void)room;
    return strchr(text, wanted);
}

ssize_t bionic___write_chk(int file, const void *from, size_t bytes, size_t room) {
    (void)room;
    return write(file, from, bytes);
}

char *bionic___gnu_strerror_r(int error, char *text, size_t room) {
    return strerror_r(error, text, room);
}

int bionic_strerror_r(int error, char *text, size_t room) {
    int (*real)(int, char *, size_t) = glibc("__xpg_strerror_r");
    return real(error, text, room);
}

void bionic___assert2(const char *file, int line, const char *function, const char *what) {
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, function, what);
    _exit(3);
}

void bionic_android_set_abort_message(const char *text) {
    (void)text;
}

int bionic___android_log_write(int level, const char *tag, const char *text) {
    (void)level, (void)tag, (void)text;
    return 0;
}

int bionic___android_log_vprint(int level, const char *tag, const char *format, va_list given) {
    (void)level, (void)tag, (void)format, (void)given;
    return 0;
}
