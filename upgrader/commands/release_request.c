#include "commands/release_request.h"
#include "linux/binary_path.h"
#include "linux/text_file.h"
#include "pure/exit_code.h"
#include "pure/policy_settings.h"
#include <errno.h>
#include <stdlib.h>

static int read_config(json_t *settings, const char *file, struct rp_error *error)
{
    char *text;
    if (rpctl_text_file_read(&text, file, RPCTL_POLICY_FILE_BYTES_MAX, error) < 0) return RPCTL_EXIT_USAGE;
    int result = rpctl_policy_settings_parse_ini(settings, text, file, error);
    free(text);
    if (result == -ENOMEM) return RPCTL_EXIT_BUG;
    return result < 0 ? RPCTL_EXIT_USAGE : 0;
}

static int merge_policy(json_t **ret_policy, const struct rpctl_command_line *line, struct rp_error *error)
{
    json_t *settings = json_object();
    int code = line->config ? read_config(settings, line->config, error) : 0;
    if (code == 0 && json_object_update(settings, line->policy) < 0) {
        rp_error_set(error, -ENOMEM, "out of memory");
        code = RPCTL_EXIT_BUG;
    }
    if (code == 0)
        *ret_policy = settings;
    else
        json_decref(settings);
    return code;
}

int rpctl_release_request_init(struct rpctl_release_request *ret_request,
                               const struct rpctl_command_line *line, struct rp_error *error)
{
    struct rpctl_release_request request = {0};
    int code = merge_policy(&request.policy, line, error);
    if (code == 0 && line->binary) {
        int result = rpctl_binary_path(&request.binary, line->binary, getenv("PATH"), error);
        if (result < 0) code = result == -ENOMEM ? RPCTL_EXIT_BUG : RPCTL_EXIT_REFUSED;
    }
    if (code == 0)
        *ret_request = request;
    else
        rpctl_release_request_done(&request);
    return code;
}

void rpctl_release_request_done(struct rpctl_release_request *request)
{
    free(request->binary);
    json_decref(request->policy);
    *request = (struct rpctl_release_request){0};
}
