#include "linux/log_file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_FORMAT "generation-%u.log"
#define FILE_MODE   0600

void rpctl_log_file_name(unsigned generation, char name[RPCTL_LOG_FILE_NAME_BYTES])
{
    snprintf(name, RPCTL_LOG_FILE_NAME_BYTES, NAME_FORMAT, generation);
}

int rpctl_log_file_open(int dir_fd, const char *name, int *ret_fd, struct rp_error *error)
{
    int flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY;
    struct stat st;
    int fd = openat(dir_fd, name, flags, FILE_MODE);
    if (fd < 0) {
        int code = -errno;
        return rp_error_set(error, code, "cannot open the log %s: %s", name,
                            code == -ELOOP ? "it is a symlink; remove it" : strerror(-code));
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return rp_error_set(error, -EINVAL, "cannot open the log %s: it is not a regular file; remove it",
                            name);
    }
    *ret_fd = fd;
    return 0;
}

int rpctl_log_file_size(int fd, uint64_t *ret_bytes)
{
    struct stat st;
    if (fstat(fd, &st) < 0) return -errno;
    *ret_bytes = (uint64_t)st.st_size;
    return 0;
}

int rpctl_log_file_trim(int fd, uint64_t keep_bytes)
{
    struct stat st;
    if (fstat(fd, &st) < 0) return -errno;
    if ((uint64_t)st.st_size <= keep_bytes) return 0;
    off_t length = st.st_size - (off_t)keep_bytes;
    /* A part of a block would only be written over with zeros, which frees nothing. */
    length -= length % st.st_blksize;
    if (length == 0) return 0;
    int r;
    do r = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, length);
    while (r < 0 && errno == EINTR);
    return r < 0 && errno != EOPNOTSUPP ? -errno : 0;
}

static bool parse_name(const char *name, unsigned *ret_generation)
{
    char again[RPCTL_LOG_FILE_NAME_BYTES];
    unsigned generation;
    if (sscanf(name, NAME_FORMAT, &generation) != 1) return false;
    rpctl_log_file_name(generation, again);
    if (strcmp(name, again) != 0) return false;
    *ret_generation = generation;
    return true;
}

struct generations {
    unsigned *items;
    size_t count, capacity;
};

static int append_generation(struct generations *list, unsigned generation)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        unsigned *items = reallocarray(list->items, capacity, sizeof *items);
        if (!items) return -ENOMEM;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = generation;
    return 0;
}

static int highest_first(const void *a, const void *b)
{
    const unsigned *left = a, *right = b;
    return (*left < *right) - (*left > *right);
}

static int list_generations(int dir_fd, struct generations *list)
{
    /* A description of its own: reading must not depend on where somebody else stopped in dir_fd. */
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int code = -errno;
        close(fd);
        return code;
    }
    int r = 0;
    struct dirent *entry;
    while (r == 0 && (errno = 0, entry = readdir(dir))) {
        unsigned generation;
        if (parse_name(entry->d_name, &generation)) r = append_generation(list, generation);
    }
    if (r == 0) r = -errno;
    closedir(dir);
    return r;
}

static int remove_all_but(int dir_fd, struct generations *list, unsigned keep)
{
    char name[RPCTL_LOG_FILE_NAME_BYTES];
    int r = 0;
    qsort(list->items, list->count, sizeof *list->items, highest_first);
    for (size_t i = keep; i < list->count; i++) {
        rpctl_log_file_name(list->items[i], name);
        if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT) r = -errno;
    }
    return r;
}

int rpctl_log_file_prune(int dir_fd, unsigned keep, struct rp_error *error)
{
    struct generations list = {0};
    int r = list_generations(dir_fd, &list);
    if (r == 0 && list.count > keep) r = remove_all_but(dir_fd, &list, keep);
    free(list.items);
    if (r < 0) return rp_error_set(error, r, "cannot remove old logs: %s", strerror(-r));
    return 0;
}
