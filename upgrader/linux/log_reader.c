#include "linux/log_reader.h"
#include "linux/log_file.h"
#include "pure/printable.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES 65536

/* ---- which ---- */

/* The generation of a log's file name, by writing the name again and comparing; 0 for another file. */
static unsigned generation_of(const char *file)
{
    char name[RPCTL_LOG_FILE_NAME_BYTES];
    const char *digits = strpbrk(file, "0123456789");
    unsigned long number = digits ? strtoul(digits, NULL, 10) : 0;
    if (number == 0 || number > UINT_MAX) return 0;
    rpctl_log_file_name((unsigned)number, name);
    return strcmp(name, file) == 0 ? (unsigned)number : 0;
}

int rpctl_log_reader_newest(int log_dir_fd, unsigned after, unsigned *ret_generation)
{
    unsigned newest = after;
    int fd = openat(log_dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *files = fd < 0 ? NULL : fdopendir(fd);
    if (!files) {
        int code = -errno;
        if (fd >= 0) close(fd);
        return code;
    }
    for (const struct dirent *file; (file = readdir(files));) {
        unsigned generation = generation_of(file->d_name);
        if (generation > newest) newest = generation;
    }
    closedir(files);
    if (newest == after) return -ENOENT;
    *ret_generation = newest;
    return 0;
}

/* ---- where to begin ---- */

static ssize_t read_at(int fd, char *bytes, size_t size, off_t offset)
{
    ssize_t length;
    do length = pread(fd, bytes, size, offset);
    while (length < 0 && errno == EINTR);
    return length < 0 ? -errno : length;
}

/* The offset behind the next newline at or behind `offset`, or the end of the file. */
static off_t behind_newline(int fd, char *block, size_t block_bytes, off_t offset)
{
    ssize_t length;
    while ((length = read_at(fd, block, block_bytes, offset)) > 0) {
        const char *newline = memchr(block, '\n', (size_t)length);
        if (newline) return offset + (newline - block) + 1;
        offset += length;
    }
    return offset;
}

/* The first byte that is not NUL: a file system without SEEK_DATA shows a hole as NULs. */
static off_t behind_zeros(int fd, char *block, off_t offset)
{
    ssize_t length;
    while ((length = read_at(fd, block, BLOCK_BYTES, offset)) > 0) {
        for (ssize_t i = 0; i < length; i++)
            if (block[i] != '\0') return offset + i;
        offset += length;
    }
    return offset;
}

static off_t first_whole_line(int fd, char *block)
{
    off_t data = lseek(fd, 0, SEEK_DATA);
    if (data < 0) { /* ENXIO: nothing but a hole, or empty */
        off_t end = lseek(fd, 0, SEEK_END);
        return end < 0 ? 0 : end;
    }
    data = behind_zeros(fd, block, data);
    return data == 0 ? 0 : behind_newline(fd, block, BLOCK_BYTES, data);
}

static int out_of_memory(struct rp_error *error)
{
    return rp_error_set(error, -ENOMEM, "out of memory");
}

static int open_file(int log_dir_fd, unsigned generation, struct rp_error *error)
{
    char name[RPCTL_LOG_FILE_NAME_BYTES];
    rpctl_log_file_name(generation, name);
    int fd = openat(log_dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) return fd;
    return rp_error_set(error, -errno, "cannot read the log %s: %s", name, strerror(errno));
}

int rpctl_log_reader_open(struct rpctl_log_reader *ret_reader, int log_dir_fd, unsigned generation,
                          struct rp_error *error)
{
    char *block = malloc(BLOCK_BYTES);
    if (!block) return out_of_memory(error);
    int fd = open_file(log_dir_fd, generation, error);
    if (fd >= 0) *ret_reader = (struct rpctl_log_reader){.fd = fd, .offset = first_whole_line(fd, block)};
    free(block);
    return fd < 0 ? fd : 0;
}

void rpctl_log_reader_close(struct rpctl_log_reader *reader)
{
    if (reader->fd >= 0) close(reader->fd);
    reader->fd = -1;
}

/* ---- the last lines ---- */

/* Where the block's last `*lines` lines begin, or -1 when it has fewer newlines; counts *lines down. */
static ssize_t count_back(const char *block, ssize_t length, unsigned *lines)
{
    for (ssize_t i = length - 1; i >= 0; i--) {
        if (block[i] != '\n') continue;
        if (*lines == 0) return i + 1;
        (*lines)--;
    }
    return -1;
}

/* A newline at the very end finishes the last line and begins none, so it is stepped over first. */
static off_t last_lines(int fd, char *block, off_t begin, off_t end, unsigned lines)
{
    char last = '\0';
    if (lines == 0) return end;
    if (end > begin && read_at(fd, &last, 1, end - 1) == 1 && last != '\n') lines--;
    while (end > begin) {
        off_t from = end - begin > BLOCK_BYTES ? end - BLOCK_BYTES : begin;
        ssize_t length = read_at(fd, block, (size_t)(end - from), from);
        if (length <= 0) return end;
        ssize_t found = count_back(block, length, &lines);
        if (found >= 0) return from + found;
        end = from;
    }
    return begin;
}

int rpctl_log_reader_skip_to_last(struct rpctl_log_reader *reader, unsigned lines, struct rp_error *error)
{
    struct stat status;
    if (fstat(reader->fd, &status) < 0)
        return rp_error_set(error, -errno, "cannot read the log: %s", strerror(errno));
    char *block = malloc(BLOCK_BYTES);
    if (!block) return out_of_memory(error);
    if (status.st_size > reader->offset)
        reader->offset = last_lines(reader->fd, block, reader->offset, status.st_size, lines);
    free(block);
    return 0;
}

/* Whoever follows slowly may be overtaken by the hole. */
static ssize_t read_behind_hole(struct rpctl_log_reader *reader, char *bytes, size_t size)
{
    ssize_t length = read_at(reader->fd, bytes, size, reader->offset);
    if (length <= 0 || bytes[0] != '\0') return length;
    off_t data = lseek(reader->fd, reader->offset, SEEK_DATA);
    if (data <= reader->offset) return length;
    reader->offset = behind_newline(reader->fd, bytes, size, data);
    return read_at(reader->fd, bytes, size, reader->offset);
}

ssize_t rpctl_log_reader_read(struct rpctl_log_reader *reader, char *bytes, size_t size)
{
    ssize_t length = read_behind_hole(reader, bytes, size);
    if (length > 0) reader->offset += length;
    return length;
}

ssize_t rpctl_log_reader_read_printable(struct rpctl_log_reader *reader, char *bytes, size_t size, char *text)
{
    size_t taken = 0;
    ssize_t length = read_behind_hole(reader, bytes, size);
    if (length <= 0) return length;
    size_t used = rpctl_printable_escape(text, bytes, (size_t)length, &taken);
    reader->offset += (off_t)taken;
    return (ssize_t)used;
}
