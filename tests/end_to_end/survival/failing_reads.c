/* To be preloaded: reads of the file FAIL_FILE that touch the bytes from FAIL_FROM up to FAIL_TO fail with FAIL_ERRNO,
   as those of a medium that was pulled; with FAIL_SHORT they give a few bytes at a time instead. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static int is_file(int descriptor) {
    struct stat wanted, found;
    const char *path = getenv("FAIL_FILE");
    return path && !stat(path, &wanted) && !fstat(descriptor, &found) && wanted.st_ino == found.st_ino &&
           wanted.st_dev == found.st_dev;
}

/* Return how many bytes can be read at an offset: those before the bad ones, as a kernel does it; -1 for none. */
static long good(int descriptor, long offset, long size) {
    long first = number("FAIL_FROM"), last = number("FAIL_TO");
    if (offset < 0 || !is_file(descriptor)) return size;
    if (getenv("FAIL_SHORT") && size > 1000) return 1000;
    if (offset >= last || offset + size <= first) return size;
    return offset < first ? first - offset : -1;
}

ssize_t read(int descriptor, void *buffer, size_t size) {
    long known = good(descriptor, lseek(descriptor, 0, SEEK_CUR), size);
    if (known < 0) return errno = number("FAIL_ERRNO"), -1;
    return syscall(SYS_read, descriptor, buffer, known);
}

ssize_t pread64(int descriptor, void *buffer, size_t size, off64_t offset) {
    long known = good(descriptor, offset, size);
    if (known < 0) return errno = number("FAIL_ERRNO"), -1;
    return syscall(SYS_pread64, descriptor, buffer, known, offset);
}

ssize_t pread(int descriptor, void *buffer, size_t size, off_t offset) { return pread64(descriptor, buffer, size, offset); }

size_t fread(void *buffer, size_t size, size_t count, FILE *file) {
    static size_t (*next)(void *, size_t, size_t, FILE *);
    if (!next) next = (size_t (*)(void *, size_t, size_t, FILE *))dlsym(RTLD_NEXT, "fread");
    if (!getenv("FAIL_SHORT") && good(fileno(file), ftell(file), size * count) < (long)(size * count)) {
        file->_flags |= 0x20; /* what ferror(3) of glibc looks at */
        return errno = number("FAIL_ERRNO"), 0;
    }
    return next(buffer, size, count, file);
}
