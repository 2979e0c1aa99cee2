/* A disk that hangs: while the file $HANG_WHILE exists, whoever touches what lies under
 * $HANG_UNDER waits, as in the kernel: no signal ends it. Preloaded into an edge by the tests. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wait_at(const char *path) {
    const char *under = getenv("HANG_UNDER"), *flag = getenv("HANG_WHILE");
    if (!under || !flag || !path || strncmp(path, under, strlen(under)) != 0) return;
    if (syscall(SYS_faccessat, AT_FDCWD, flag, F_OK) != 0) return;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (syscall(SYS_faccessat, AT_FDCWD, flag, F_OK) == 0) usleep(20000);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void wait_for(int fd) {
    char name[64], path[4096];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, name, path, sizeof path - 1);
    if (n <= 0) return;
    path[n] = 0;
    wait_at(path);
}

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

#define OPENS(name)                                                                            \
    int name(const char *path, int flags, ...) {                                               \
        va_list more;                                                                          \
        va_start(more, flags);                                                                 \
        int mode = va_arg(more, int);                                                          \
        va_end(more);                                                                          \
        wait_at(path);                                                                         \
        return REAL(name)(path, flags, mode);                                                  \
    }
OPENS(open)
OPENS(open64)

int fsync(int fd) { wait_for(fd); return REAL(fsync)(fd); }
int fdatasync(int fd) { wait_for(fd); return REAL(fdatasync)(fd); }
ssize_t write(int fd, const void *data, size_t n) { wait_for(fd); return REAL(write)(fd, data, n); }
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
    wait_for(fd);
    return REAL(pwrite64)(fd, data, n, at);
}
int stat(const char *path, struct stat *found) { wait_at(path); return REAL(stat)(path, found); }
int rename(const char *old, const char *new) { wait_at(old); return REAL(rename)(old, new); }
int unlink(const char *path) { wait_at(path); return REAL(unlink)(path); }
int mkdir(const char *path, mode_t mode) { wait_at(path); return REAL(mkdir)(path, mode); }
