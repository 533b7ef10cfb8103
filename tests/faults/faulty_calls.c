/* Makes calls of the C library fail. Preloaded into a process (LD_PRELOAD), and set by its environment or by
   faulty_calls_set. Only calls on files whose path contains FAULTY_PATH fail; of memory, any block from 64 KiB on.

   FAULTY_CALLS   letters: r read, o open, w write, f fsync, m rename, a allocate memory
   FAULTY_ERRNO   what they fail with
   FAULTY_ONE_IN  one in so many, at random from FAULTY_SEED and the process; or
   FAULTY_NTH     only the n-th, counted from 1 in each process
   FAULTY_LOG     a file that gets a byte for each failure */
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

static struct { char calls[16], path[4096], log[4096]; int error, one_in, nth, seen, failed; unsigned state; } faults;

static void copy(char *to, size_t size, const char *from) { snprintf(to, size, "%s", from ? from : ""); }
static int number(const char *name) { const char *text = getenv(name); return text ? atoi(text) : 0; }

void faulty_calls_set(const char *calls, const char *path, int error, int one_in, int nth, unsigned seed) {
    copy(faults.calls, sizeof faults.calls, calls);
    copy(faults.path, sizeof faults.path, path);
    faults.error = error, faults.one_in = one_in, faults.nth = nth, faults.seen = faults.failed = 0;
    faults.state = seed * 2654435761u ^ (unsigned)getpid() * 40503u;
}

int faulty_calls_failed(void) { return faults.failed; }

__attribute__((constructor)) static void from_environment(void) {
    copy(faults.log, sizeof faults.log, getenv("FAULTY_LOG"));
    faulty_calls_set(getenv("FAULTY_CALLS"), getenv("FAULTY_PATH"), number("FAULTY_ERRNO"), number("FAULTY_ONE_IN"),
                     number("FAULTY_NTH"), (unsigned)number("FAULTY_SEED"));
}

static int fails(char call, const char *path) {
    if (!strchr(faults.calls, call) || !*faults.calls) return 0;
    if (path && (!*faults.path || !strstr(path, faults.path))) return 0;
    faults.state = faults.state * 1664525u + 1013904223u;
    int hit = faults.nth ? ++faults.seen == faults.nth : faults.one_in && (faults.state >> 8) % faults.one_in == 0;
    if (!hit) return 0;
    faults.failed++;
    if (*faults.log) {
        long log = syscall(SYS_openat, AT_FDCWD, faults.log, O_WRONLY | O_APPEND | O_CREAT, 0644);
        syscall(SYS_write, log, &call, 1), syscall(SYS_close, log);
    }
    errno = faults.error;
    return 1;
}

static int fails_on(char call, int file) {
    char link[64], path[4096];
    if (!*faults.calls) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(call, path);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
ssize_t read(int f, void *to, size_t n) { return fails_on('r', f) ? -1 : NEXT(read)(f, to, n); }
ssize_t pread64(int f, void *to, size_t n, off64_t at) { return fails_on('r', f) ? -1 : NEXT(pread64)(f, to, n, at); }
ssize_t write(int f, const void *from, size_t n) { return fails_on('w', f) ? -1 : NEXT(write)(f, from, n); }
int fsync(int f) { return fails_on('f', f) ? -1 : NEXT(fsync)(f); }
int rename(const char *from, const char *to) { return fails('m', to) ? -1 : NEXT(rename)(from, to); }

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...) {                                                                       \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = va_arg(rest, mode_t);                                                                            \
        va_end(rest);                                                                                                  \
        return fails('o', path) ? -1 : NEXT(name)(path, flags, mode);                                                  \
    }
OPEN(open)
OPEN(open64)

/* glibc's own names: to look the next function up takes memory itself. */
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
static int lacks(size_t n) { return n >= 1 << 16 && fails('a', NULL); }
void *malloc(size_t n) { return lacks(n) ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return lacks(n * size) ? NULL : __libc_calloc(n, size); }
void *realloc(void *old, size_t n) { return lacks(n) ? NULL : __libc_realloc(old, n); }
int posix_memalign(void **to, size_t alignment, size_t n) {
    void *got = lacks(n) ? NULL : __libc_memalign(alignment, n);
    if (got) *to = got;
    return got ? 0 : ENOMEM;
}
