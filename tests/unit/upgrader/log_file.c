#include "linux/log_file.h"
#include "fixture.h"
#include "pure/utf8.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/rpctl-log-XXXXXX";
static int dir_fd = -1;
static struct rp_error error;

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(directory));
    dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void tear_down(void)
{
    DIR *dir = fdopendir(dir_fd);
    struct dirent *entry;
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.') unlinkat(dir_fd, entry->d_name, 0);
    closedir(dir);
    rmdir(directory);
}

TestSuite(log_file, .init = set_up, .fini = tear_down);

static int open_log(void)
{
    int fd;
    cr_assert_eq(rpctl_log_file_open(dir_fd, "generation-1.log", &fd, &error), 0, "%s", error.message);
    return fd;
}

static void append(int fd, const char *bytes, size_t length)
{
    cr_assert_eq(write(fd, bytes, length), (ssize_t)length);
}

#define APPEND(fd, literal) append(fd, literal, sizeof(literal) - 1)

static struct rpctl_log_tail tail;

/* The lines joined by '|'. */
static const char *tail_of(int fd, uint64_t from, size_t max_lines)
{
    static char text[RPCTL_LOG_FILE_LINES_MAX * RPCTL_LOG_FILE_LINE_BYTES];
    memset(&tail, 0xa5, sizeof tail);
    cr_assert_eq(rpctl_log_file_tail(fd, from, max_lines, &tail, &error), 0, "%s", error.message);
    text[0] = '\0';
    for (size_t i = 0; i < tail.count; i++) {
        cr_assert(rpctl_utf8_is_valid(tail.lines[i]));
        if (i > 0) strcat(text, "|");
        strcat(text, tail.lines[i]);
    }
    if (tail.count == 0) cr_assert_null(tail.lines);
    rpctl_log_tail_done(&tail);
    rpctl_log_tail_done(&tail);
    return text;
}

Test(log_file, names)
{
    char name[RPCTL_LOG_FILE_NAME_BYTES];
    rpctl_log_file_name(7, name);
    cr_assert_str_eq(name, "generation-7.log");
    rpctl_log_file_name(4294967295u, name);
    cr_assert_str_eq(name, "generation-4294967295.log");
}

Test(log_file, opens_for_appending_by_the_owner_alone)
{
    struct stat st;
    umask(0);
    int first = open_log();
    int second = open_log();
    fstat(first, &st);
    cr_assert_eq(st.st_mode & 07777, 0600);
    cr_assert(fcntl(first, F_GETFD) & FD_CLOEXEC);
    cr_assert(fcntl(first, F_GETFL) & O_APPEND);
    cr_assert_not(fcntl(first, F_GETFL) & O_NONBLOCK);
    APPEND(first, "a\n");
    APPEND(second, "b\n");
    APPEND(first, "c\n");
    cr_assert_str_eq(tail_of(second, 0, 9), "a|b|c");
}

Test(log_file, refuses_what_is_no_file)
{
    int fd = 77;
    int fds = count_open_fds();
    cr_assert_eq(symlinkat("/etc/passwd", dir_fd, "generation-2.log"), 0);
    cr_assert_eq(rpctl_log_file_open(dir_fd, "generation-2.log", &fd, &error), -ELOOP);
    cr_assert_not_null(strstr(error.message, "generation-2.log: it is a symlink"), "%s", error.message);
    cr_assert_eq(mkfifoat(dir_fd, "generation-3.log", 0600), 0);
    cr_assert_eq(rpctl_log_file_open(dir_fd, "generation-3.log", &fd, &error), -EINVAL);
    cr_assert_not_null(strstr(error.message, "not a regular file"), "%s", error.message);
    cr_assert_eq(rpctl_log_file_open(-1, "x", &fd, &error), -EBADF);
    cr_assert_eq(fd, 77);
    cr_assert_eq(count_open_fds(), fds);
}

Test(log_file, tails)
{
    int fd = open_log();
    cr_assert_str_eq(tail_of(fd, 0, 9), "");
    APPEND(fd, "\n\n");
    cr_assert_str_eq(tail_of(fd, 0, 9), "");
    APPEND(fd, "one\n\ntwo\r\nthree\n");
    cr_assert_str_eq(tail_of(fd, 0, 9), "one|two|three");
    cr_assert_str_eq(tail_of(fd, 0, 2), "two|three");
    cr_assert_str_eq(tail_of(fd, 0, 0), "");
    APPEND(fd, "no end yet");
    cr_assert_str_eq(tail_of(fd, 0, 2), "three|no end yet");
}

Test(log_file, tail_of_what_came_after_an_offset)
{
    uint64_t offset;
    int fd = open_log();
    APPEND(fd, "old\n");
    cr_assert_eq(rpctl_log_file_size(fd, &offset), 0);
    cr_assert_eq(offset, 4);
    cr_assert_str_eq(tail_of(fd, offset, 9), "");
    APPEND(fd, "new\n");
    cr_assert_str_eq(tail_of(fd, offset, 9), "new");
    cr_assert_str_eq(tail_of(fd, 1000, 9), "");
    cr_assert_str_eq(tail_of(fd, UINT64_MAX, 9), "");
}

Test(log_file, tail_is_printable_and_bounded)
{
    char line[2000];
    int fd = open_log();
    APPEND(fd, "\x1b[31mred\xff\0x\tgr\xc3\xbcn\n");
    cr_assert_str_eq(tail_of(fd, 0, 9), "?[31mred??x gr\xc3\xbcn");
    memset(line, 'x', sizeof line);
    append(fd, line, sizeof line);
    cr_assert_eq(strlen(tail_of(fd, 0, 1)), RPCTL_LOG_FILE_LINE_BYTES - 1);
}

Test(log_file, tail_looks_back_a_limited_way)
{
    char line[16];
    int fd = open_log();
    for (int i = 0; i < 20000; i++) {
        snprintf(line, sizeof line, "%09d\n", i);
        append(fd, line, 10);
    }
    cr_assert_str_eq(tail_of(fd, 0, 3), "000019997|000019998|000019999");
    tail_of(fd, 0, 100000);
    cr_assert_eq(rpctl_log_file_tail(fd, 0, 100000, &tail, &error), 0);
    cr_assert_eq(tail.count, RPCTL_LOG_FILE_LINES_MAX);
    rpctl_log_tail_done(&tail);
}

Test(log_file, a_single_endless_line)
{
    static char text[RPCTL_LOG_FILE_TAIL_BYTES * 2];
    int fd = open_log();
    memset(text, 'y', sizeof text);
    append(fd, text, sizeof text);
    cr_assert_eq(strlen(tail_of(fd, 0, 9)), RPCTL_LOG_FILE_LINE_BYTES - 1);
}

Test(log_file, tail_errors)
{
    cr_assert_eq(rpctl_log_file_tail(-1, 0, 9, &tail, &error), -EBADF);
    cr_assert_not_null(strstr(error.message, "cannot read the log"));
    int write_only = openat(dir_fd, "w", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    APPEND(write_only, "x\n");
    cr_assert_eq(rpctl_log_file_tail(write_only, 0, 9, &tail, &error), -EBADF);
    expect_no_leak();
}

static long long allocated_bytes(int fd)
{
    struct stat st;
    fstat(fd, &st);
    return (long long)st.st_blocks * 512;
}

Test(log_file, trim_frees_the_front_and_keeps_the_end)
{
    char line[128];
    uint64_t size;
    int fd = open_log();
    int writer = open_log();
    for (int i = 0; i < 10000; i++) {
        snprintf(line, sizeof line, "%099d\n", i);
        append(writer, line, 100);
    }
    cr_assert_eq(rpctl_log_file_trim(fd, 100000), 0);
    cr_assert_eq(rpctl_log_file_size(fd, &size), 0);
    cr_assert_eq(size, 1000000, "all offsets stay");
    cr_assert_leq(allocated_bytes(fd), 200000);
    APPEND(writer, "still appended\n");
    cr_assert_not_null(strstr(tail_of(fd, 0, 2), "9999|still appended"));
}

Test(log_file, a_tail_skips_the_hole_and_the_line_that_was_cut)
{
    char line[128];
    int fd = open_log();
    for (int i = 0; i < 200; i++) {
        snprintf(line, sizeof line, "%099d\n", i);
        append(fd, line, 100);
    }
    struct stat st;
    fstat(fd, &st);
    cr_assert_eq(rpctl_log_file_trim(fd, 5000), 0);
    cr_assert_eq(rpctl_log_file_tail(fd, 0, RPCTL_LOG_FILE_LINES_MAX, &tail, &error), 0);
    cr_assert_gt(tail.count, 40);
    for (size_t i = 0; i < tail.count; i++) cr_assert_eq(strlen(tail.lines[i]), 99, "line %zu", i);
    rpctl_log_tail_done(&tail);
}

Test(log_file, trim_of_little_does_nothing)
{
    int fd = open_log();
    APPEND(fd, "a\nb\n");
    cr_assert_eq(rpctl_log_file_trim(fd, 4), 0);
    cr_assert_eq(rpctl_log_file_trim(fd, 1), 0);
    cr_assert_eq(rpctl_log_file_trim(fd, 0), 0);
    cr_assert_str_eq(tail_of(fd, 0, 9), "a|b");
    cr_assert_eq(rpctl_log_file_trim(-1, 0), -EBADF);
}

static int exists(const char *name)
{
    return faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Test(log_file, prune_keeps_the_newest_by_number)
{
    static const char *const names[] = {"generation-1.log",  "generation-2.log",
                                        "generation-9.log",  "generation-10.log",
                                        "generation-11.log", "generation-011.log",
                                        "generation-3.logx", "generation-x.log",
                                        "generation--1.log", "other"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        close(openat(dir_fd, names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    for (int again = 0; again < 2; again++) {
        cr_assert_eq(rpctl_log_file_prune(dir_fd, 3, &error), 0, "%s", error.message);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            cr_assert_eq(exists(names[i]), i >= 2, "%s", names[i]);
    }
    cr_assert_eq(rpctl_log_file_prune(dir_fd, 0, &error), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cr_assert_eq(exists(names[i]), i >= 5, "%s", names[i]);
    expect_no_leak();
}

Test(log_file, prune_errors)
{
    cr_assert_eq(rpctl_log_file_prune(-1, 1, &error), -EBADF);
    cr_assert_not_null(strstr(error.message, "cannot remove old logs"));
    cr_assert_eq(mkdirat(dir_fd, "generation-1.log", 0700), 0);
    cr_assert_eq(rpctl_log_file_prune(dir_fd, 0, &error), -EISDIR);
    unlinkat(dir_fd, "generation-1.log", AT_REMOVEDIR);
}
