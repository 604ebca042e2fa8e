/* Finding BINARY, and the check before launch. */
#include "fixture.h"
#include "linux/binary_check.h"
#include "linux/binary_path.h"
#include "linux/text_file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static struct rp_error error;

static void setup(void)
{
    strcpy(root, "/tmp/rpctl-test-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
    cr_assert_eq(chdir(root), 0);
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    if (system(command) != 0) abort();
}

TestSuite(binary_path, .init = setup, .fini = teardown);
TestSuite(binary_check, .init = setup, .fini = teardown);
TestSuite(text_file, .init = setup, .fini = teardown);

static void make_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
    cr_assert_eq(chmod(path, mode), 0);
}

static void expect_path(const char *binary, const char *search_path, const char *wanted_in_root)
{
    char wanted[PATH_MAX];
    char *path;
    snprintf(wanted, sizeof wanted, "%s/%s", root, wanted_in_root);
    cr_assert_eq(rpctl_binary_path(&path, binary, search_path, &error), 0, "%s", error.message);
    cr_assert_str_eq(path, wanted);
    free(path);
}

Test(binary_path, with_a_slash)
{
    char *path;
    expect_path("./s", NULL, "s");
    expect_path("././/s", NULL, "s");
    expect_path("build/bin/s", NULL, "build/bin/s");
    expect_path("../s", NULL, "../s");
    cr_assert_eq(rpctl_binary_path(&path, "/abs//s", NULL, &error), 0);
    cr_assert_str_eq(path, "/abs//s");
    free(path);
    cr_assert_eq(chdir("/"), 0);
    cr_assert_eq(rpctl_binary_path(&path, "./s", NULL, &error), 0);
    cr_assert_str_eq(path, "/s");
    free(path);
    cr_assert_eq(chdir(root), 0);
    cr_assert_eq(symlink("v1", "current"), 0); /* stays what it is */
    expect_path("current/s", NULL, "current/s");
    expect_no_leak();
}

Test(binary_path, looked_up)
{
    char search[PATH_MAX];
    char *path;
    cr_assert_eq(mkdir("a", 0755), 0);
    cr_assert_eq(mkdir("b", 0755), 0);
    cr_assert_eq(mkdir("a/s", 0755), 0); /* a directory is no program */
    make_file("a/t", "x", 0644);         /* nor is this */
    make_file("b/s", "x", 0755);
    make_file("b/t", "x", 0755);
    snprintf(search, sizeof search, "/nowhere:%s/a:%s/b", root, root);
    expect_path("s", search, "b/s");
    expect_path("t", search, "b/t");
    expect_path("t", "b", "b/t");
    make_file("here", "x", 0755);
    expect_path("here", "", "here");
    expect_path("here", "/nowhere:", "here");
    cr_assert_eq(rpctl_binary_path(&path, "none", search, &error), -ENOENT);
    cr_assert(strstr(error.message, "./none"), "%s", error.message);
    cr_assert_eq(rpctl_binary_path(&path, "here", NULL, &error), -ENOENT);
    expect_no_leak();
}

Test(binary_path, a_directory_without_a_path)
{
    char *path;
    cr_assert_eq(mkdir("gone", 0755), 0);
    cr_assert_eq(chdir("gone"), 0);
    cr_assert_eq(rmdir("../gone"), 0);
    cr_assert_eq(rpctl_binary_path(&path, "./s", NULL, &error), -ENOENT);
    cr_assert(strstr(error.message, "absolute path"), "%s", error.message);
}

static void expect_check(const char *name, int code, const char *part)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", root, name);
    error = (struct rp_error){0};
    cr_assert_eq(rpctl_binary_check(path, &error), code, "%s: %s", name, error.message);
    cr_assert(strstr(error.message, part), "%s", error.message);
    if (code < 0) cr_assert(strstr(error.message, name), "%s", error.message);
}

Test(binary_check, says_what_is_wrong)
{
    make_file("good", "x", 0755);
    make_file("plain", "x", 0644);
    make_file("empty", "", 0755);
    cr_assert_eq(mkdir("folder", 0755), 0);
    cr_assert_eq(mkfifo("pipe", 0755), 0);
    cr_assert_eq(symlink("good", "link"), 0);
    cr_assert_eq(symlink("nothing", "broken"), 0);
    cr_assert_eq(symlink("loop", "loop"), 0);
    expect_check("good", 0, "");
    expect_check("link", 0, "");
    expect_check("none", -ENOENT, "no such file");
    expect_check("broken", -ENOENT, "symlink to a file that does not exist");
    expect_check("loop", -ELOOP, "cannot be reached");
    expect_check("good/x", -ENOTDIR, "cannot be reached");
    expect_check("folder", -EISDIR, "is a directory");
    expect_check("pipe", -EACCES, "not a regular file");
    expect_check("plain", -EACCES, "not executable");
    expect_check("empty", -ENOEXEC, "is empty");
    cr_assert_eq(rpctl_binary_check("/nowhere", NULL), -ENOENT);
}

Test(text_file, reads_and_refuses)
{
    char *text;
    make_file("f", "abc\n", 0600);
    cr_assert_eq(rpctl_text_file_read(&text, "f", 4, &error), 0);
    cr_assert_str_eq(text, "abc\n");
    free(text);
    cr_assert_eq(rpctl_text_file_read(&text, "f", 3, &error), -EFBIG);
    cr_assert_eq(rpctl_text_file_read(&text, "none", 3, &error), -ENOENT);
    cr_assert(strstr(error.message, "none"));
    cr_assert_eq(rpctl_text_file_read(&text, ".", 3, &error), -EISDIR);
    int fd = open("nul", O_CREAT | O_WRONLY, 0600);
    cr_assert_eq(write(fd, "a\0b", 3), 3);
    close(fd);
    cr_assert_eq(rpctl_text_file_read(&text, "nul", 100, &error), -EINVAL);
    make_file("zero", "", 0600);
    cr_assert_eq(rpctl_text_file_read(&text, "zero", 10, &error), 0);
    cr_assert_str_eq(text, "");
    free(text);
    expect_no_leak();
}
