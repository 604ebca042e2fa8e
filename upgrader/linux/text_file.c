#include "linux/text_file.h"
#include "pure/quote.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads up to `size` bytes, fewer only at the end of the file. */
static ssize_t read_up_to(int fd, char *bytes, size_t size)
{
    size_t total = 0;
    while (total < size) {
        ssize_t length = read(fd, bytes + total, size - total);
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) return -errno;
        if (length == 0) break;
        total += (size_t)length;
    }
    return (ssize_t)total;
}

static int read_text(char *text, const char *path, int fd, size_t max_bytes, struct rp_error *error)
{
    ssize_t length = read_up_to(fd, text, max_bytes + 1);
    if (length < 0)
        return rp_error_set(error, (int)length, "cannot read %s: %s", rpctl_quote_path(path).text,
                            strerror((int)-length));
    if ((size_t)length > max_bytes)
        return rp_error_set(error, -EFBIG, "%s is larger than %zu bytes; is it the right file?",
                            rpctl_quote_path(path).text, max_bytes);
    text[length] = '\0';
    if (strlen(text) != (size_t)length)
        return rp_error_set(error, -EINVAL, "%s is not a text file", rpctl_quote_path(path).text);
    return 0;
}

int rpctl_text_file_read(char **ret_text, const char *path, size_t max_bytes, struct rp_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return rp_error_set(error, -errno, "cannot read %s: %s", rpctl_quote_path(path).text,
                            strerror(errno));
    char *text = malloc(max_bytes + 2);
    int result =
        text ? read_text(text, path, fd, max_bytes, error) : rp_error_set(error, -ENOMEM, "out of memory");
    close(fd);
    if (result == 0)
        *ret_text = text;
    else
        free(text);
    return result;
}
