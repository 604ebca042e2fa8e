#include "pure/policy_settings.h"
#include "pure/quote.h"
#include <errno.h>
#include <ini.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* libinih calls back without a line number and cuts long lines silently; its reader is replaced by one that
 * counts lines and refuses long ones. It also strips leading blanks: for libinih they would continue the
 * value of the line before. */
struct ini_source {
    const char *rest;
    const char *file;
    json_t *settings;
    struct rp_error *error;
    int line;
    int error_line; /* 0 = none; *error is filled */
    int code;
};

static int fail(struct ini_source *source, int code)
{
    source->error_line = source->line;
    source->code = code;
    source->error->code = code; /* an unknown key is a bad file here, not something that is missing */
    return rp_error_prefix(source->error, "%s:%d", rpctl_quote_path(source->file).text, source->line);
}

static char *read_line(char *line, int bytes, void *stream)
{
    struct ini_source *source = stream;
    if (*source->rest == '\0' || source->error_line) return NULL;
    source->line++;
    const char *start = source->rest + strspn(source->rest, " \t");
    size_t length = strcspn(start, "\n");
    source->rest = start + length + (start[length] == '\n' ? 1 : 0);
    if (length >= (size_t)bytes - 1) {
        rp_error_set(source->error, -EINVAL, "the line is longer than %d characters", bytes - 2);
        fail(source, -EINVAL);
        return NULL;
    }
    snprintf(line, (size_t)bytes, "%.*s\n", (int)length, start);
    return line;
}

static int take_key(void *user, const char *section, const char *key, const char *value)
{
    struct ini_source *source = user;
    if (source->error_line) return 0;
    int result;
    if (section[0] != '\0')
        result = rp_error_set(source->error, -EINVAL, "section %s: write the keys without any section",
                              rpctl_quote(section).text);
    else
        result = rpctl_policy_settings_put(source->settings, key, value, source->error);
    if (result < 0) fail(source, result == -ENOENT ? -EINVAL : result);
    return result == 0;
}

int rpctl_policy_settings_parse_ini(json_t *settings, const char *text, const char *file,
                                    struct rp_error *error)
{
    struct rp_error unseen;
    struct ini_source source = {
        .rest = text, .file = file, .settings = settings, .error = error ? error : &unseen};
    int bad_line = ini_parse_stream(read_line, &source, take_key, &source);
    if (bad_line == 0 && !source.error_line) return 0;
    if (source.error_line && (bad_line <= 0 || source.error_line <= bad_line)) return source.code;
    return rp_error_set(error, -EINVAL, "%s:%d: not a line of the form KEY = VALUE",
                        rpctl_quote_path(file).text, bad_line);
}
