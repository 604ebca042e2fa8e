#include "linux/state_file.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_BYTES 1000

static char root[] = "/tmp/rpctl-state-XXXXXX";
static int dir_fd;
static struct rp_error error;

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(root));
    dir_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void tear_down(void)
{
    static const char *const names[] = {RPCTL_STATE_FILE, RPCTL_STATE_FILE_NEW, RPCTL_STATE_FILE_BAD,
                                        "other"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) unlinkat(dir_fd, names[i], 0);
    close(dir_fd);
    rmdir(root);
}

TestSuite(state_file, .init = set_up, .fini = tear_down, .timeout = 30);

static void expect_text(const char *wanted)
{
    char *text;
    size_t length;
    cr_assert_eq(rpctl_state_file_read(dir_fd, MAX_BYTES, &text, &length, &error), 0, "%s", error.message);
    cr_assert_str_eq(text, wanted);
    cr_assert_eq(length, strlen(wanted));
    free(text);
}

static int read_it(void)
{
    char *text;
    size_t length;
    int result = rpctl_state_file_read(dir_fd, MAX_BYTES, &text, &length, &error);
    if (result == 0) free(text);
    return result;
}

Test(state_file, write_and_read)
{
    int fds = count_open_fds();
    struct stat status;
    cr_assert_eq(read_it(), -ENOENT);
    cr_assert_eq(rpctl_state_file_write(dir_fd, "one", 3, &error), 0, "%s", error.message);
    expect_text("one");
    cr_assert_eq(rpctl_state_file_write(dir_fd, "second", 6, &error), 0);
    expect_text("second");
    cr_assert_eq(fstatat(dir_fd, RPCTL_STATE_FILE, &status, 0), 0);
    cr_assert_eq(status.st_mode & 07777, 0600);
    cr_assert_eq(faccessat(dir_fd, RPCTL_STATE_FILE_NEW, F_OK, 0), -1, "nothing is left over");
    cr_assert_eq(rpctl_state_file_remove(dir_fd), 0);
    cr_assert_eq(rpctl_state_file_remove(dir_fd), 0);
    cr_assert_eq(read_it(), -ENOENT);
    cr_assert_eq(count_open_fds(), fds);
    expect_no_leak();
}

/* What a writer that died left behind, or somebody put there, is no hindrance and is not followed. */
Test(state_file, a_new_file_is_in_the_way)
{
    cr_assert_eq(symlinkat("other", dir_fd, RPCTL_STATE_FILE_NEW), 0);
    cr_assert_eq(rpctl_state_file_write(dir_fd, "text", 4, &error), 0, "%s", error.message);
    expect_text("text");
    cr_assert_eq(faccessat(dir_fd, "other", F_OK, 0), -1);
}

Test(state_file, not_trusted)
{
    cr_assert_eq(symlinkat("other", dir_fd, RPCTL_STATE_FILE), 0);
    cr_assert_eq(read_it(), -EPERM);
    cr_assert_eq(unlinkat(dir_fd, RPCTL_STATE_FILE, 0), 0);
    cr_assert_eq(mkfifoat(dir_fd, RPCTL_STATE_FILE, 0600), 0);
    cr_assert_eq(read_it(), -EPERM, "and it does not wait for a writer");
    cr_assert_eq(unlinkat(dir_fd, RPCTL_STATE_FILE, 0), 0);
    cr_assert_eq(rpctl_state_file_write(dir_fd, "text", 4, &error), 0);
    if (geteuid() != 0) cr_skip_test("needs two users");
    cr_assert_eq(fchownat(dir_fd, RPCTL_STATE_FILE, 65534, 65534, 0), 0);
    cr_assert_eq(read_it(), -EPERM);
}

Test(state_file, too_large)
{
    char text[MAX_BYTES + 1];
    memset(text, 'x', sizeof text);
    cr_assert_eq(rpctl_state_file_write(dir_fd, text, MAX_BYTES, &error), 0);
    cr_assert_eq(read_it(), 0);
    cr_assert_eq(rpctl_state_file_write(dir_fd, text, MAX_BYTES + 1, &error), 0);
    cr_assert_eq(read_it(), -EFBIG);
}

Test(state_file, set_aside)
{
    cr_assert_eq(rpctl_state_file_set_aside(dir_fd, &error), -ENOENT);
    cr_assert_eq(rpctl_state_file_write(dir_fd, "bad", 3, &error), 0);
    cr_assert_eq(rpctl_state_file_set_aside(dir_fd, &error), 0);
    cr_assert_eq(read_it(), -ENOENT);
    cr_assert_eq(faccessat(dir_fd, RPCTL_STATE_FILE_BAD, F_OK, 0), 0);
}

Test(state_file, a_directory_that_is_gone)
{
    cr_assert_eq(rmdir(root), 0);
    cr_assert_lt(rpctl_state_file_write(dir_fd, "text", 4, &error), 0);
    cr_assert_not_null(strstr(error.message, "cannot write the service's state down"), "%s", error.message);
    cr_assert_eq(mkdir(root, 0700), 0);
}

Test(state_file, boot_id)
{
    char id[RPCTL_BOOT_ID_BYTES], again[RPCTL_BOOT_ID_BYTES];
    cr_assert_eq(rpctl_boot_id_read(id, &error), 0, "%s", error.message);
    cr_assert_eq(strlen(id), 36);
    cr_assert_eq(rpctl_boot_id_read(again, &error), 0);
    cr_assert_str_eq(id, again);
}
