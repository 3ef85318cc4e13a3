// Part of Rollcall. SPDX-License-Identifier: Apache-2.0
//
// Preloaded into a program, stands between it and its disk.
//
// Of the files DISKFAULTS_PATH and DISKFAULTS_PATH-wal it writes every change and every sync into DISKFAULTS_LOG, in the
// order they took effect, and lets those fail that the 24 bytes of DISKFAULTS_CONTROL name. With DISKFAULTS_DROP_SYNCS
// a sync does nothing, as with SQLite's `synchronous=OFF`.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { WRITE = 1, TRUNCATE = 2, SYNC = 3, UNLINK = 4 };
enum file { OTHER = 0, MAIN = 1, LOG = 2 };

// Followed by `length` bytes of what was written. `begin`: how long the log was when a sync began.
struct record {
    uint32_t kind, file;
    uint64_t offset, begin;
    uint32_t length;
    int32_t result;
};

struct control {
    // The kind of operation that fails, 0 for none, and on which file, 0 for both.
    int32_t kind, file;
    // How many pass before the first that fails, how many fail, with which errno, and how many have failed.
    int32_t skip, count, error, failed;
};

#define DESCRIPTORS 65536
static unsigned char files[DESCRIPTORS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *path;
static size_t path_length;
static int log_descriptor = -1;
static uint64_t log_length;
static int drops_syncs;
static struct control *control;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_truncate)(int, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);

__attribute__((constructor)) static void start(void) {
    real_open = dlsym(RTLD_NEXT, "open64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_truncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    path = getenv("DISKFAULTS_PATH");
    path_length = path ? strlen(path) : 0;
    drops_syncs = getenv("DISKFAULTS_DROP_SYNCS") != NULL;
    const char *name = getenv("DISKFAULTS_LOG");
    if (name) {
        log_descriptor = real_open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        struct stat status;
        if (fstat(log_descriptor, &status) == 0) log_length = (uint64_t)status.st_size;
    }
    if ((name = getenv("DISKFAULTS_CONTROL"))) {
        int descriptor = real_open(name, O_RDWR | O_CLOEXEC);
        void *map = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
        if (map != MAP_FAILED) control = map;
        real_close(descriptor);
    }
}

static enum file file_named(const char *name) {
    if (!path || strncmp(name, path, path_length)) return OTHER;
    if (!name[path_length]) return MAIN;
    return strcmp(name + path_length, "-wal") ? OTHER : LOG;
}

static enum file file_of(int descriptor) {
    return descriptor >= 0 && descriptor < DESCRIPTORS ? files[descriptor] : OTHER;
}

static void append(enum kind kind, enum file file, uint64_t offset, uint64_t begin, const void *bytes, size_t length,
                   int result) {
    if (log_descriptor < 0) return;
    struct record record = {kind, file, offset, begin, (uint32_t)length, result};
    // One write for both, so that a kill leaves no half of it but at the very end.
    char small[65536 + sizeof record];
    char *all = length + sizeof record <= sizeof small ? small : malloc(length + sizeof record);
    memcpy(all, &record, sizeof record);
    if (length) memcpy(all + sizeof record, bytes, length);
    ssize_t written = real_write(log_descriptor, all, length + sizeof record);
    if (written != (ssize_t)(length + sizeof record)) abort();
    log_length += (uint64_t)written;
    if (all != small) free(all);
}

// Whether this operation is to fail; sets errno. With the lock.
static int fails(enum kind kind, enum file file) {
    if (!control || control->kind != (int32_t)kind || (control->file && control->file != (int32_t)file)) return 0;
    if (control->skip > 0) {
        control->skip--;
        return 0;
    }
    if (control->failed >= control->count) return 0;
    control->failed++;
    errno = control->error;
    return 1;
}

static int opened(int descriptor, const char *name) {
    if (descriptor >= 0 && descriptor < DESCRIPTORS) files[descriptor] = (unsigned char)file_named(name);
    return descriptor;
}

#define MODE(flags, mode)                                                                                              \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                                           \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        mode = va_arg(list, mode_t);                                                                                   \
        va_end(list);                                                                                                  \
    }

int open(const char *name, int flags, ...) {
    MODE(flags, mode)
    return opened(real_open(name, flags, mode), name);
}

int open64(const char *name, int flags, ...) {
    MODE(flags, mode)
    return opened(real_open(name, flags, mode), name);
}

int close(int descriptor) {
    if (descriptor >= 0 && descriptor < DESCRIPTORS) files[descriptor] = OTHER;
    return real_close(descriptor);
}

static ssize_t change(int descriptor, const void *bytes, size_t length, off64_t offset) {
    enum file file = file_of(descriptor);
    if (!file) return real_pwrite(descriptor, bytes, length, offset);
    pthread_mutex_lock(&lock);
    ssize_t result = -1;
    if (!fails(WRITE, file)) {
        result = real_pwrite(descriptor, bytes, length, offset);
        if (result > 0) append(WRITE, file, (uint64_t)offset, 0, bytes, (size_t)result, 0);
    }
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset) {
    return change(descriptor, bytes, length, offset);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off64_t offset) {
    return change(descriptor, bytes, length, offset);
}

ssize_t write(int descriptor, const void *bytes, size_t length) {
    if (!file_of(descriptor)) return real_write(descriptor, bytes, length);
    off64_t offset = lseek64(descriptor, 0, SEEK_CUR);
    ssize_t result = change(descriptor, bytes, length, offset);
    if (result > 0) lseek64(descriptor, offset + result, SEEK_SET);
    return result;
}

int ftruncate64(int descriptor, off64_t length) {
    enum file file = file_of(descriptor);
    if (!file) return real_truncate(descriptor, length);
    pthread_mutex_lock(&lock);
    int result = real_truncate(descriptor, length);
    if (!result) append(TRUNCATE, file, (uint64_t)length, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

static int sync_file(int descriptor, int (*real)(int)) {
    enum file file = file_of(descriptor);
    if (!file) return real(descriptor);
    if (drops_syncs) return 0;
    pthread_mutex_lock(&lock);
    uint64_t begin = log_length;
    int failed = fails(SYNC, file);
    int error = errno;
    pthread_mutex_unlock(&lock);
    int result = failed ? -1 : real(descriptor);
    if (!failed) error = errno;
    pthread_mutex_lock(&lock);
    append(SYNC, file, 0, begin, NULL, 0, result);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int fsync(int descriptor) { return sync_file(descriptor, real_fsync); }

int fdatasync(int descriptor) { return sync_file(descriptor, real_fdatasync); }

int unlink(const char *name) {
    enum file file = file_named(name);
    if (!file) return real_unlink(name);
    pthread_mutex_lock(&lock);
    int result = real_unlink(name);
    if (!result) append(UNLINK, file, 0, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return result;
}
