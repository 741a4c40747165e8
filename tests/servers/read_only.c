// A file system that becomes read-only under a running server, as after an error of its disk: preloaded (LD_PRELOAD), this
// answers for the system while the file READ_ONLY_WHILE exists, for all files in the folder READ_ONLY_FOLDER.
//
// A real one needs rights that tests do not have everywhere (loop devices, immutable files), and mounting it so is
// refused for as long as a server has a file open. The server, the database and the file are real.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_on(void) {
    const char *flag = getenv("READ_ONLY_WHILE");
    return flag != NULL && access(flag, F_OK) == 0;
}

static int is_within(const char *path) {
    const char *folder = getenv("READ_ONLY_FOLDER");
    return folder != NULL && strncmp(path, folder, strlen(folder)) == 0;
}

static int refuses_path(const char *path) {
    if (!is_on() || !is_within(path)) return 0;
    errno = EROFS;
    return 1;
}

static int refuses(int file) {
    char link[32], path[4096];
    if (!is_on()) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return refuses_path(path);
}

ssize_t write(int file, const void *bytes, size_t size) {
    return refuses(file) ? -1 : NEXT(write)(file, bytes, size);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
    return refuses(file) ? -1 : NEXT(pwrite64)(file, bytes, size, at);
}

int ftruncate64(int file, off64_t size) { return refuses(file) ? -1 : NEXT(ftruncate64)(file, size); }

int unlink(const char *path) { return refuses_path(path) ? -1 : NEXT(unlink)(path); }

static int opens_for_writing(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)); }

static mode_t mode_of(int flags, va_list rest) { return flags & O_CREAT ? va_arg(rest, mode_t) : 0; }

#define OPEN(name)                                                                  \
    int name(const char *path, int flags, ...) {                                    \
        va_list rest;                                                               \
        va_start(rest, flags);                                                      \
        mode_t mode = mode_of(flags, rest);                                         \
        va_end(rest);                                                               \
        if (opens_for_writing(flags) && refuses_path(path)) return -1;              \
        return NEXT(name)(path, flags, mode);                                       \
    }

OPEN(open)
OPEN(open64)
