#include "shell/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_USAGE     2
#define HELP_BYTES     4096
#define LOG_LINE_BYTES 1024
#define LOG_PRIORITY   "<6>" /* sd-daemon(3): informational */

struct log_context {
    unsigned generation;
    bool journal;
};

/* The journal tells its clients which stream leads to it; only there is the priority prefix read. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    unsigned long long device, inode;
    if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2 || fstat(STDERR_FILENO, &status) < 0)
        return false;
    return status.st_dev == device && status.st_ino == inode;
}

/* One write per line, so that the lines of several threads and processes stay whole. */
static void log_line(const char *line, void *user)
{
    const struct log_context *context = user;
    char text[LOG_LINE_BYTES];
    int length = snprintf(text, sizeof text, "%sgen=%u pid=%ld %s\n", context->journal ? LOG_PRIORITY : "",
                          context->generation, (long)getpid(), line);
    if (length >= (int)sizeof text) {
        length = (int)sizeof text;
        text[length - 1] = '\n';
    }
    (void)!write(STDERR_FILENO, text, (size_t)length);
}

static void print_help(const struct rp_program *program, const struct rp_option_group *groups, size_t count)
{
    char text[HELP_BYTES];
    rp_options_help(groups, count, text, sizeof text);
    printf("Usage: %s [OPTIONS]\n\n%s\n\nOptions (TIME is 500ms, 2s, 1m):\n%s", program->name,
           program->summary, text);
}

static int fail(const struct rp_program *program, const struct rp_error *error, int status)
{
    fprintf(stderr, "%s: %s\n", program->name, error->message);
    return status;
}

static int serve(const struct rp_program *program, struct rp_server_options *options)
{
    struct log_context log = {.journal = stderr_is_journal()};
    struct rp_server_config config;
    struct rp_server *server = NULL;
    struct rp_error error;
    rp_server_config_init(&config);
    rp_server_options_apply(options, &config);
    config.log = log_line;
    config.log_user = &log;
    int result = rp_server_new(&server, &config, &error);
    if (result == 0) {
        log.generation = rp_server_identity(server)->generation;
        result = program->set_up(server, program->user, &error);
    }
    if (result == 0) result = rp_server_run(server, &error);
    rp_server_free(server);
    return result < 0 ? fail(program, &error, EXIT_FAILURE) : EXIT_SUCCESS;
}

int rp_program_main(const struct rp_program *program, int argc, char *argv[])
{
    struct rp_server_options options;
    struct rp_option_group groups[2];
    struct rp_error error;
    size_t count = 0;
    rp_server_options_init(&options);
    groups[count++] = rp_server_options_group(&options);
    if (program->extra) groups[count++] = *program->extra;
    if (rp_options_parse(groups, count, argc, argv, &error) < 0) return fail(program, &error, EXIT_USAGE);
    if (options.help) {
        print_help(program, groups, count);
        return EXIT_SUCCESS;
    }
    if (options.version) {
        printf("%s %s\n", program->name, program->version);
        return EXIT_SUCCESS;
    }
    if (program->before_start) program->before_start(program->user);
    return serve(program, &options);
}
