#include "linux/log_reader.h"
#include "fixture.h"
#include "linux/directory_watch.h"
#include "pure/printable.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static int dir_fd = -1;
static struct rp_error error;

static void setup(void)
{
    strcpy(root, "/tmp/rpctl-test-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
    dir_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void teardown(void)
{
    char command[128];
    close(dir_fd);
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    if (system(command) != 0) abort();
}

TestSuite(log_reader, .init = setup, .fini = teardown);

static int append(const char *name, const char *text, size_t length)
{
    int fd = openat(dir_fd, name, O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    cr_assert_eq(write(fd, text, length), (ssize_t)length);
    return fd;
}

/* What a reader shows, all in all. */
static const char *rest_of(struct rpctl_log_reader *reader)
{
    static char text[1 << 20];
    size_t used = 0;
    ssize_t length;
    while ((length = rpctl_log_reader_read(reader, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)length;
    cr_assert_eq(length, 0);
    text[used] = '\0';
    return text;
}

static const char *last(unsigned lines)
{
    struct rpctl_log_reader reader;
    cr_assert_eq(rpctl_log_reader_open(&reader, dir_fd, 1, &error), 0, "%s", error.message);
    cr_assert_eq(rpctl_log_reader_skip_to_last(&reader, lines, &error), 0);
    const char *text = rest_of(&reader);
    rpctl_log_reader_close(&reader);
    rpctl_log_reader_close(&reader);
    return text;
}

Test(log_reader, newest)
{
    unsigned generation = 99;
    cr_assert_eq(rpctl_log_reader_newest(dir_fd, 0, &generation), -ENOENT);
    static const char *const files[] = {"supervisor.log",     "generation-2.log",
                                        "generation-10.log",  "generation-9.log",
                                        "generation-011.log", "generation-12.log.old",
                                        "generation-x.log",   "generation-99999999999999999999.log",
                                        "generation-0.log",   "13"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) close(append(files[i], "", 0));
    cr_assert_eq(rpctl_log_reader_newest(dir_fd, 0, &generation), 0);
    cr_assert_eq(generation, 10);
    cr_assert_eq(rpctl_log_reader_newest(dir_fd, 9, &generation), 0);
    cr_assert_eq(rpctl_log_reader_newest(dir_fd, 10, &generation), -ENOENT);
    cr_assert_eq(rpctl_log_reader_newest(-1, 0, &generation), -EBADF);
}

Test(log_reader, last_lines)
{
    struct rpctl_log_reader reader;
    cr_assert_eq(rpctl_log_reader_open(&reader, dir_fd, 1, &error), -ENOENT);
    cr_assert(strstr(error.message, "generation-1.log"), "%s", error.message);
    int fd = append("generation-1.log", "", 0);
    cr_assert_str_eq(last(5), "");
    cr_assert_eq(write(fd, "a\nb\nc\n", 6), 6);
    cr_assert_str_eq(last(0), "");
    cr_assert_str_eq(last(1), "c\n");
    cr_assert_str_eq(last(2), "b\nc\n");
    cr_assert_str_eq(last(3), "a\nb\nc\n");
    cr_assert_str_eq(last(50), "a\nb\nc\n");
    cr_assert_eq(write(fd, "unfinished", 10), 10);
    cr_assert_str_eq(last(1), "unfinished");
    cr_assert_str_eq(last(2), "c\nunfinished");
    cr_assert_eq(write(fd, "\n\n\n", 3), 3);
    cr_assert_str_eq(last(2), "\n\n");
    close(fd);
}

Test(log_reader, lines_longer_than_a_block)
{
    enum { LENGTH = 200000 };
    char *big = malloc(LENGTH);
    memset(big, 'x', LENGTH);
    big[LENGTH - 1] = '\n';
    close(append("generation-1.log", "first\n", 6));
    close(append("generation-1.log", big, LENGTH));
    close(append("generation-1.log", "last\n", 5));
    cr_assert_str_eq(last(1), "last\n");
    cr_assert_eq(strlen(last(2)), LENGTH + 5);
    cr_assert_eq(strlen(last(3)), LENGTH + 11);
    free(big);
}

/* The front of the log is a hole: the line that it has cut is left out. */
Test(log_reader, begins_behind_the_hole)
{
    int fd = append("generation-1.log", "", 0);
    for (int i = 0; i < 3000; i++) dprintf(fd, "line %06d\n", i);
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 16384) < 0)
        cr_skip_test("no holes here");
    const char *text = last(1000000);
    cr_assert_eq(strncmp(text, "line 001366\n", 12), 0, "%.20s", text); /* 16384 / 12 = 1365.3 */
    cr_assert_eq(strlen(text), (3000 - 1366) * 12);
    cr_assert_str_eq(last(1), "line 002999\n");
    cr_assert_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 36000), 0);
    cr_assert_str_eq(last(10), "");
    dprintf(fd, "new\n");
    cr_assert(strlen(last(10)) <= 4);
    dprintf(fd, "newer\n");
    cr_assert_str_eq(last(1), "newer\n");
    close(fd);
}

/* A file system without SEEK_DATA shows NULs. */
Test(log_reader, zeros_count_as_a_hole)
{
    char zeros[5000] = {0};
    int fd = append("generation-1.log", zeros, sizeof zeros);
    dprintf(fd, "cut in two\nwhole\n");
    cr_assert_str_eq(last(10), "whole\n");
    close(fd);
}

/* The hole has overtaken it. */
Test(log_reader, one_that_follows_slowly_goes_on_behind_the_hole)
{
    struct rpctl_log_reader reader;
    char bytes[24], text[sizeof bytes * RPCTL_PRINTABLE_ESCAPE_BYTES];
    int fd = append("generation-1.log", "", 0);
    for (int i = 0; i < 3000; i++) dprintf(fd, "line %06d\n", i);
    cr_assert_eq(rpctl_log_reader_open(&reader, dir_fd, 1, &error), 0);
    cr_assert_eq(rpctl_log_reader_read(&reader, bytes, sizeof bytes), 24);
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 16384) < 0)
        cr_skip_test("no holes here");
    ssize_t length = rpctl_log_reader_read_printable(&reader, bytes, sizeof bytes, text);
    cr_assert_eq(length, 24);
    cr_assert_eq(memcmp(text, "line 001366\nline 001367\n", 24), 0);
    cr_assert_eq(strlen(rest_of(&reader)), (3000 - 1368) * 12);
    rpctl_log_reader_close(&reader);
    close(fd);
}

/* A program's own NUL is no hole. */
Test(log_reader, a_zero_byte_is_shown)
{
    struct rpctl_log_reader reader;
    char bytes[24], text[sizeof bytes * RPCTL_PRINTABLE_ESCAPE_BYTES];
    int fd = append("generation-1.log", "a\n", 2);
    cr_assert_eq(rpctl_log_reader_open(&reader, dir_fd, 1, &error), 0);
    cr_assert_str_eq(rest_of(&reader), "a\n");
    close(append("generation-1.log", "\0b\n", 3));
    ssize_t length = rpctl_log_reader_read_printable(&reader, bytes, sizeof bytes, text);
    cr_assert_eq(length, 6);
    cr_assert_eq(memcmp(text, "\\x00b\n", 6), 0);
    rpctl_log_reader_close(&reader);
    close(fd);
}

Test(log_reader, goes_on_as_the_file_grows)
{
    struct rpctl_log_reader reader;
    int watch;
    int fd = append("generation-1.log", "a\n", 2);
    int before = count_open_fds();
    cr_assert_eq(rpctl_directory_watch_open(dir_fd, &watch, &error), 0, "%s", error.message);
    cr_assert_eq(rpctl_log_reader_open(&reader, dir_fd, 1, &error), 0);
    cr_assert_str_eq(rest_of(&reader), "a\n");
    cr_assert_str_eq(rest_of(&reader), "");
    dprintf(fd, "b\n");
    cr_assert_eq(rpctl_directory_watch_wait(watch, &error), 0);
    cr_assert_str_eq(rest_of(&reader), "b\n");
    close(append("generation-2.log", "", 0));
    cr_assert_eq(rpctl_directory_watch_wait(watch, &error), 0);
    rpctl_log_reader_close(&reader);
    close(watch);
    cr_assert_eq(count_open_fds(), before);
    close(fd);
    cr_assert_eq(rpctl_directory_watch_open(-1, &watch, &error), -ENOENT);
    cr_assert_eq(rpctl_directory_watch_wait(-1, &error), -EBADF);
}
