/* To be preloaded: a local directory answers as one on a server.
   ODD_MOUNTS: the file that is read in the place of the list of mounts, which tells the types of file systems.
   ODD_RENAME: the error of a rename over a directory that is not empty: sshfs has EPERM.
   ODD_OPEN, ODD_ERROR: opening a path that ends with ODD_OPEN fails with that error, though stat still answers, as with
   cached attributes of files that another host has removed. The file ODD_TIMES has a byte for each call, the last one
   first, which is removed: x for one that fails, a dot for one that does not.
   ODD_CALL, ODD_PART, ODD_ERROR: a call of this name (rename, link, mkdir, stat) on a path with ODD_PART in it fails with
   that error, as often. With ODD_DONE it is done before: NFS sends a request again if the answer was lost, and the second
   answer is an error.
   ODD_MISSED: a path that ends so, and that was missing when it was looked at, stays missing until its directory is
   opened: clients of NFS keep that (nfs(5), lookupcache).
   ODD_OLD: files with this in their paths have attributes from half a minute ago. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ends_with(const char *path, const char *end) {
    size_t all = strlen(path), part = end ? strlen(end) : 0;
    return part && all >= part && !strcmp(path + all - part, end);
}

/* Remove a byte of the file ODD_TIMES, and return whether this call has to fail. */
static int is_left(void) {
    const char *path = getenv("ODD_TIMES");
    char last = '.';
    int left = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR) : -1;
    if (left < 0) return 0;
    off_t size = lseek(left, 0, SEEK_END);
    if (size > 0 && (syscall(SYS_pread64, left, &last, 1, size - 1) != 1 || ftruncate(left, size - 1))) last = '.';
    close(left);
    return last == 'x';
}

/* Return whether the call that is made on a path, or two, has to fail; errno has the error then. */
static int fails(const char *call, const char *path, const char *other) {
    const char *wanted = getenv("ODD_CALL"), *part = getenv("ODD_PART");
    if (!wanted || !part || strcmp(call, wanted) || !(strstr(path, part) || (other && strstr(other, part)))) return 0;
    if (!is_left()) return 0;
    errno = atoi(getenv("ODD_ERROR"));
    return 1;
}

/* Return the result of a call: that of the system, or an error before or after it. */
static int answered(int is_odd, int odd, int (*make)(const long *), const long *words) {
    int done = is_odd && !getenv("ODD_DONE") ? -1 : make(words);
    if (!is_odd) return done;
    errno = odd;
    return -1;
}

#define MISSED 16
static char missed[MISSED][4096];

/* Forget what was missing in a directory that is opened. */
static void opened_directory(const char *path) {
    for (int i = 0; i < MISSED; i++) {
        size_t all = strlen(path);
        if (!strncmp(missed[i], path, all) && missed[i][all] == '/' && !strchr(missed[i] + all + 1, '/')) missed[i][0] = 0;
    }
}

/* Return whether a path was missing before; `now`: it is missing now. */
static int was_missing(const char *path, int now) {
    int free = -1;
    if (!ends_with(path, getenv("ODD_MISSED"))) return 0;
    for (int i = 0; i < MISSED; i++) {
        if (!strcmp(missed[i], path)) return 1;
        if (!missed[i][0]) free = i;
    }
    if (now && free >= 0) strcpy(missed[free], path);
    return 0;
}

static int looked(int at, const char *path, struct stat *state, int flags) {
    const char *old = getenv("ODD_OLD");
    if (fails("stat", path, NULL)) return -1;
    int done = syscall(SYS_newfstatat, at, path, state, flags);
    if (was_missing(path, done < 0 && errno == ENOENT)) return errno = ENOENT, -1;
    if (!done && old && strstr(path, old)) state->st_mtime -= 30;
    return done;
}

int stat(const char *path, struct stat *state) { return looked(AT_FDCWD, path, state, 0); }
int lstat(const char *path, struct stat *state) { return looked(AT_FDCWD, path, state, AT_SYMLINK_NOFOLLOW); }
int fstatat(int at, const char *path, struct stat *state, int flags) { return looked(at, path, state, flags); }
int stat64(const char *path, struct stat64 *state) { return looked(AT_FDCWD, path, (struct stat *)state, 0); }
int lstat64(const char *path, struct stat64 *state) {
    return looked(AT_FDCWD, path, (struct stat *)state, AT_SYMLINK_NOFOLLOW);
}
int fstatat64(int at, const char *path, struct stat64 *state, int flags) {
    return looked(at, path, (struct stat *)state, flags);
}

/* Attributes of an open file are cached, too. */
static int of_open(int descriptor, struct stat *state) {
    const char *old = getenv("ODD_OLD");
    char link[64], path[4096];
    int done = syscall(SYS_newfstatat, descriptor, "", state, AT_EMPTY_PATH);
    if (done || !old) return done;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, path, sizeof path - 1);
    path[size > 0 ? size : 0] = 0;
    if (strstr(path, old)) state->st_mtime -= 30;
    return 0;
}

int fstat(int descriptor, struct stat *state) { return of_open(descriptor, state); }
int fstat64(int descriptor, struct stat64 *state) { return of_open(descriptor, (struct stat *)state); }

/* Return the path to open, NULL if opening it fails. */
static const char *looked_up(const char *path) {
    const char *mounts = getenv("ODD_MOUNTS");
    if (mounts && ends_with(path, "/mountinfo")) return mounts;
    if (was_missing(path, 0)) return errno = ENOENT, NULL;
    if (!ends_with(path, getenv("ODD_OPEN")) || !is_left()) return path;
    errno = atoi(getenv("ODD_ERROR"));
    return NULL;
}

static int opened(int at, const char *path, int flags, va_list more) {
    int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, int) : 0;
    const char *real = looked_up(path);
    if (flags & O_DIRECTORY) opened_directory(path);
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

static int make_rename(const long *w) { return syscall(SYS_renameat2, w[0], w[1], w[2], w[3], 0); }
static int make_link(const long *w) { return syscall(SYS_linkat, w[0], w[1], w[2], w[3], w[4]); }
static int make_directory(const long *w) { return syscall(SYS_mkdirat, w[0], w[1], w[2]); }

static int renamed(int from, const char *old, int to, const char *new) {
    long words[] = {from, (long)old, to, (long)new};
    int is_odd = fails("rename", old, new), done = answered(is_odd, errno, make_rename, words);
    if (!is_odd && done < 0 && getenv("ODD_RENAME") && (errno == ENOTEMPTY || errno == EEXIST)) errno = atoi(getenv("ODD_RENAME"));
    return done;
}

static int linked(int from, const char *old, int to, const char *new, int flags) {
    long words[] = {from, (long)old, to, (long)new, flags};
    int is_odd = fails("link", old, new);
    return answered(is_odd, errno, make_link, words);
}

static int made(int at, const char *path, mode_t mode) {
    long words[] = {at, (long)path, mode};
    int is_odd = fails("mkdir", path, NULL);
    return answered(is_odd, errno, make_directory, words);
}

int rename(const char *old, const char *new) { return renamed(AT_FDCWD, old, AT_FDCWD, new); }
int renameat(int from, const char *old, int to, const char *new) { return renamed(from, old, to, new); }
int link(const char *old, const char *new) { return linked(AT_FDCWD, old, AT_FDCWD, new, 0); }
int linkat(int from, const char *old, int to, const char *new, int flags) { return linked(from, old, to, new, flags); }
int mkdir(const char *path, mode_t mode) { return made(AT_FDCWD, path, mode); }
int mkdirat(int at, const char *path, mode_t mode) { return made(at, path, mode); }
