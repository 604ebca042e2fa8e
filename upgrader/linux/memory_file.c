#include "linux/memory_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *text, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t written = write(fd, text + done, length - done);

        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return -errno;
        done += (size_t)written;
    }
    return 0;
}

int rpctl_memory_file_new(const char *name, const char *text, size_t length, int *ret_fd,
                          struct rp_error *error)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    int status = fd < 0 ? -errno : write_all(fd, text, length);

    if (status == 0) {
        *ret_fd = fd;
        return 0;
    }
    if (fd >= 0) close(fd);
    return rp_error_set(error, status, "cannot make a file in memory: %s", strerror(-status));
}

static ssize_t read_at(int fd, char *bytes, size_t length, off_t offset)
{
    ssize_t got;

    do got = pread(fd, bytes, length, offset);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static int read_whole(int fd, char *text, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t got = read_at(fd, text + done, length - done, (off_t)done);

        if (got <= 0) return got < 0 ? (int)got : -EIO;
        done += (size_t)got;
    }
    text[length] = '\0';
    return 0;
}

static int size_of(int fd, size_t max_bytes, size_t *ret_length)
{
    struct stat status;

    if (fstat(fd, &status) < 0) return -errno;
    if (!S_ISREG(status.st_mode)) return -EINVAL;
    if ((size_t)status.st_size > max_bytes) return -EFBIG;
    *ret_length = (size_t)status.st_size;
    return 0;
}

int rpctl_memory_file_read(int fd, size_t max_bytes, char **ret_text, size_t *ret_length,
                           struct rp_error *error)
{
    size_t length = 0;
    char *text = NULL;
    int status = size_of(fd, max_bytes, &length);

    if (status == 0) {
        text = malloc(length + 1);
        status = text ? read_whole(fd, text, length) : -ENOMEM;
    }
    if (status < 0) {
        free(text);
        return rp_error_set(error, status, "cannot read descriptor %d: %s", fd, strerror(-status));
    }
    *ret_text = text;
    *ret_length = length;
    return 0;
}
