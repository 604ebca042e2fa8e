#include "linux/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, text, length);

        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return -errno;
        text += written;
        length -= (size_t)written;
    }
    return 0;
}

static int write_new(int dir_fd, const char *text, size_t length)
{
    int fd, result;

    if (unlinkat(dir_fd, RPCTL_STATE_FILE_NEW, 0) < 0 && errno != ENOENT) return -errno;
    fd = openat(dir_fd, RPCTL_STATE_FILE_NEW, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return -errno;
    result = write_all(fd, text, length);
    if (result == 0 && fsync(fd) < 0) result = -errno;
    close(fd);
    return result;
}

int rpctl_state_file_write(int dir_fd, const char *text, size_t length, struct rp_error *error)
{
    int result = write_new(dir_fd, text, length);

    if (result == 0 && renameat(dir_fd, RPCTL_STATE_FILE_NEW, dir_fd, RPCTL_STATE_FILE) < 0) result = -errno;
    if (result == 0 && fsync(dir_fd) < 0) result = -errno;
    if (result == 0) return 0;
    return rp_error_set(error, result, "cannot write the service's state down: %s", strerror(-result));
}

static int check_file(int fd, size_t max_bytes, size_t *ret_bytes, struct rp_error *error)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return rp_error_set(error, -errno, "cannot look at the state file: %s", strerror(errno));
    if (!S_ISREG(status.st_mode) || status.st_uid != geteuid())
        return rp_error_set(error, -EPERM, "the state file is no plain file of user %u", (unsigned)geteuid());
    if (status.st_size < 0 || (uintmax_t)status.st_size > max_bytes)
        return rp_error_set(error, -EFBIG, "the state file has more than %zu bytes", max_bytes);
    *ret_bytes = (size_t)status.st_size;
    return 0;
}

/* As much as there is, `bytes` at most. */
static ssize_t read_up_to(int fd, char *text, size_t bytes)
{
    size_t total = 0;

    while (total < bytes) {
        ssize_t got = read(fd, text + total, bytes - total);

        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -errno;
        if (got == 0) break;
        total += (size_t)got;
    }
    return (ssize_t)total;
}

static int read_whole(int fd, size_t bytes, char **ret_text, size_t *ret_length, struct rp_error *error)
{
    char *text = malloc(bytes + 1);
    ssize_t length;

    if (!text) return rp_error_set(error, -ENOMEM, "no memory to read the state file");
    length = read_up_to(fd, text, bytes);
    if (length < 0) {
        free(text);
        return rp_error_set(error, (int)length, "cannot read the state file: %s", strerror((int)-length));
    }
    text[length] = '\0';
    *ret_text = text;
    *ret_length = (size_t)length;
    return 0;
}

int rpctl_state_file_read(int dir_fd, size_t max_bytes, char **ret_text, size_t *ret_length,
                          struct rp_error *error)
{
    size_t bytes = 0;
    int result, fd = openat(dir_fd, RPCTL_STATE_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        result = errno == ELOOP ? -EPERM : -errno;
        return rp_error_set(error, result, "cannot open the state file: %s", strerror(errno));
    }
    result = check_file(fd, max_bytes, &bytes, error);
    if (result == 0) result = read_whole(fd, bytes, ret_text, ret_length, error);
    close(fd);
    return result;
}

int rpctl_state_file_set_aside(int dir_fd, struct rp_error *error)
{
    if (renameat(dir_fd, RPCTL_STATE_FILE, dir_fd, RPCTL_STATE_FILE_BAD) == 0) return 0;
    return rp_error_set(error, -errno, "cannot set the state file aside: %s", strerror(errno));
}

int rpctl_state_file_remove(int dir_fd)
{
    return unlinkat(dir_fd, RPCTL_STATE_FILE, 0) == 0 || errno == ENOENT ? 0 : -errno;
}

int rpctl_boot_id_read(char id[RPCTL_BOOT_ID_BYTES], struct rp_error *error)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -errno : read_up_to(fd, id, RPCTL_BOOT_ID_BYTES - 1);

    if (fd >= 0) close(fd);
    if (length < 0)
        return rp_error_set(error, (int)length, "cannot read the boot id: %s", strerror((int)-length));
    id[length] = '\0';
    id[strcspn(id, "\n")] = '\0';
    return 0;
}
