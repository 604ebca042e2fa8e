/* Runs a piece of a test in a process of its own, where it may change user, environment, limits and the
 * descriptors from 3 on, which in the test process belong to Criterion.
 *
 * Owns the child until it has ended. */
#ifndef TEST_SERVER_CHILD_H
#define TEST_SERVER_CHILD_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* For the body of a child: the text of the first thing that is not so. */
#define CHILD_TEXT_(x) #x
#define CHILD_TEXT(x)  CHILD_TEXT_(x)
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) return __FILE__ ":" CHILD_TEXT(__LINE__) ": " #condition;                          \
    } while (0)

/* For helpers of the body: `text` goes into the report beside the failed check. */
static char *child_note;

typedef const char *child_body(void *argument);

static inline void run_in_child(child_body *body, void *argument)
{
    size_t bytes = 4096;
    char *report = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(report, MAP_FAILED);
    child_note = report + bytes / 2;
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        const char *failed = body(argument);
        if (failed != NULL) snprintf(report, bytes / 2, "%s", failed);
        _exit(failed != NULL);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x: %s (%s)", status, report,
              child_note);
    munmap(report, bytes);
}

static inline size_t count_descriptors(void)
{
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (directory != NULL && readdir(directory) != NULL) count++;
    if (directory != NULL) closedir(directory);
    return count;
}

#endif
