/* To be preloaded: a local directory answers as one on a server.
   ODD_MOUNTS: the file that is read in the place of the list of mounts, which tells the types of file systems.
   ODD_RENAME: the error of a rename over a directory that is not empty: sshfs has EPERM.
   ODD_OPEN, ODD_ERROR: opening a path that ends with ODD_OPEN fails with that error, though stat still answers, as with
   cached attributes of files that another host has removed; so many times as the file ODD_TIMES has bytes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ends_with(const char *path, const char *end) {
    size_t all = strlen(path), part = end ? strlen(end) : 0;
    return part && all >= part && !strcmp(path + all - part, end);
}

/* Remove a byte of the file ODD_TIMES, and return whether it had one. */
static int is_left(void) {
    const char *path = getenv("ODD_TIMES");
    long left = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR) : -1, size = left < 0 ? 0 : lseek(left, 0, SEEK_END);
    if (left >= 0) {
        if (size > 0 && ftruncate(left, size - 1)) size = 0;
        close(left);
    }
    return size > 0;
}

/* Return the path to open, NULL if opening it fails. */
static const char *looked_up(const char *path) {
    const char *mounts = getenv("ODD_MOUNTS");
    if (mounts && ends_with(path, "/mountinfo")) return mounts;
    if (!ends_with(path, getenv("ODD_OPEN")) || !is_left()) return path;
    errno = atoi(getenv("ODD_ERROR"));
    return NULL;
}

static int opened(int at, const char *path, int flags, va_list more) {
    int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, int) : 0;
    const char *real = looked_up(path);
    return real ? syscall(SYS_openat, at, real, flags, mode) : -1;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        int found = opened(AT_FDCWD, path, flags, more); \
        va_end(more); \
        return found; \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int at, const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        int found = opened(at, path, flags, more); \
        va_end(more); \
        return found; \
    }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name) \
    FILE *name(const char *path, const char *mode) { \
        FILE *(*next)(const char *, const char *) = dlsym(RTLD_NEXT, #name); \
        const char *real = looked_up(path); \
        return real ? next(real, mode) : NULL; \
    }
FOPEN(fopen)
FOPEN(fopen64)

static int renamed(int from, const char *old, int to, const char *new) {
    int done = syscall(SYS_renameat2, from, old, to, new, 0);
    if (done < 0 && getenv("ODD_RENAME") && (errno == ENOTEMPTY || errno == EEXIST)) errno = atoi(getenv("ODD_RENAME"));
    return done;
}

int rename(const char *old, const char *new) { return renamed(AT_FDCWD, old, AT_FDCWD, new); }
int renameat(int from, const char *old, int to, const char *new) { return renamed(from, old, to, new); }
