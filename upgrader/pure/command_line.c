#include "pure/command_line.h"
#include "pure/policy_settings.h"
#include "pure/quote.h"
#include "pure/service_name.h"
#include "pure/suggest.h"
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

static const char *const command_names[RPCTL_COMMAND_COUNT] = {
    [RPCTL_COMMAND_RUN] = "run",         [RPCTL_COMMAND_START] = "start", [RPCTL_COMMAND_UPGRADE] = "upgrade",
    [RPCTL_COMMAND_RESTART] = "restart", [RPCTL_COMMAND_ABORT] = "abort", [RPCTL_COMMAND_STATUS] = "status",
    [RPCTL_COMMAND_LOGS] = "logs",       [RPCTL_COMMAND_STOP] = "stop",   [RPCTL_COMMAND_REEXEC] = "reexec",
    [RPCTL_COMMAND_VERSION] = "version", [RPCTL_COMMAND_HELP] = "help",
};

#define BIT(command)    (1u << (command))
#define ALL             UINT_MAX
#define TAKES_BINARY    (BIT(RPCTL_COMMAND_RUN) | BIT(RPCTL_COMMAND_START) | BIT(RPCTL_COMMAND_UPGRADE))
#define TAKES_POLICY    (TAKES_BINARY | BIT(RPCTL_COMMAND_RESTART))
#define TAKES_NO_JSON   (BIT(RPCTL_COMMAND_LOGS) | BIT(RPCTL_COMMAND_HELP))
#define BEFORE_COMMAND  RPCTL_COMMAND_COUNT
#define VALUE_SEPARATOR '='

enum option_id {
    OPTION_NAME,
    OPTION_DIR,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_CONFIG,
    OPTION_ENV,
    OPTION_WATCH,
    OPTION_FOLLOW,
    OPTION_LINES,
    OPTION_GENERATION,
    OPTION_POLICY, /* any key of a policy */
};

struct option {
    const char *name;
    char letter;
    bool takes_value;
    enum option_id id;
    unsigned commands; /* bits; BEFORE_COMMAND's stands for the place before the command */
};

static const struct option options[] = {
    {"name", 'n', true, OPTION_NAME, ALL},
    {"dir", 0, true, OPTION_DIR, ALL},
    {"json", 0, false, OPTION_JSON, ALL},
    {"quiet", 'q', false, OPTION_QUIET, ALL},
    {"help", 'h', false, OPTION_HELP, ALL},
    {"version", 0, false, OPTION_VERSION, BIT(BEFORE_COMMAND)},
    {"config", 0, true, OPTION_CONFIG, TAKES_POLICY},
    {"env", 0, true, OPTION_ENV, TAKES_BINARY},
    {"watch", 0, false, OPTION_WATCH, BIT(RPCTL_COMMAND_STATUS)},
    {"follow", 'f', false, OPTION_FOLLOW, BIT(RPCTL_COMMAND_LOGS)},
    {"lines", 0, true, OPTION_LINES, BIT(RPCTL_COMMAND_LOGS)},
    {"generation", 0, true, OPTION_GENERATION, BIT(RPCTL_COMMAND_LOGS)},
};

#define OPTION_COUNT (sizeof options / sizeof options[0])

/* One walk over argv. */
struct parser {
    struct rpctl_command_line *line;
    char **next;    /* the word to be read */
    unsigned where; /* the command, or BEFORE_COMMAND */
    bool help;      /* asked for with --help */
    struct rp_error *error;
};

/* An option as it stands there: --name, --name=value, -n, --bake … */
struct found {
    struct option option;
    char name[32];  /* without dashes and value */
    char *attached; /* behind '=', or NULL */
};

const char *rpctl_command_name(enum rpctl_command command)
{
    assert(command < RPCTL_COMMAND_COUNT);
    return command_names[command];
}

static const char *help_hint(const struct parser *parser)
{
    static const char *const hints[RPCTL_COMMAND_COUNT + 1] = {
        [RPCTL_COMMAND_RUN] = "rpctl help run",
        [RPCTL_COMMAND_START] = "rpctl help start",
        [RPCTL_COMMAND_UPGRADE] = "rpctl help upgrade",
        [RPCTL_COMMAND_RESTART] = "rpctl help restart",
        [RPCTL_COMMAND_ABORT] = "rpctl help abort",
        [RPCTL_COMMAND_STATUS] = "rpctl help status",
        [RPCTL_COMMAND_LOGS] = "rpctl help logs",
        [RPCTL_COMMAND_STOP] = "rpctl help stop",
        [RPCTL_COMMAND_REEXEC] = "rpctl help reexec",
        [RPCTL_COMMAND_VERSION] = "rpctl help version",
        [RPCTL_COMMAND_HELP] = "rpctl help",
        [BEFORE_COMMAND] = "rpctl help",
    };
    return hints[parser->where];
}

/* ---- finding an option ---- */

static const char *suggest_option(const struct parser *parser, const char *name)
{
    const char *names[64];
    size_t count = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (options[i].commands & BIT(parser->where)) names[count++] = options[i].name;
    for (size_t i = 0; rpctl_policy_keys[i] && (TAKES_POLICY & BIT(parser->where)); i++) {
        assert(count < sizeof names / sizeof names[0]);
        names[count++] = rpctl_policy_keys[i];
    }
    return rpctl_suggest(name, names, count);
}

static int unknown_option(const struct parser *parser, const char *word, const char *name)
{
    const char *near = suggest_option(parser, name);
    const char *command = parser->where == BEFORE_COMMAND ? "rpctl" : command_names[parser->where];
    if (near)
        return rp_error_set(parser->error, -EINVAL, "%s: unknown option %s; did you mean --%s?", command,
                            rpctl_quote(word).text, near);
    return rp_error_set(parser->error, -EINVAL, "%s: unknown option %s; see: %s", command,
                        rpctl_quote(word).text, help_hint(parser));
}

static int misplaced_option(const struct parser *parser, const char *word)
{
    if (parser->where == BEFORE_COMMAND)
        return rp_error_set(parser->error, -EINVAL, "option %s belongs behind the command; see: rpctl help",
                            rpctl_quote(word).text);
    return rp_error_set(parser->error, -EINVAL, "%s has no option %s; see: %s", command_names[parser->where],
                        rpctl_quote(word).text, help_hint(parser));
}

static bool is_policy_key(const char *name)
{
    for (const char *const *key = rpctl_policy_keys; *key; key++)
        if (strcmp(*key, name) == 0) return true;
    return false;
}

static bool find_long(struct option *ret_option, const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(options[i].name, name) != 0) continue;
        *ret_option = options[i];
        return true;
    }
    if (!is_policy_key(name)) return false;
    *ret_option = (struct option){name, 0, !rpctl_policy_key_is_flag(name), OPTION_POLICY, TAKES_POLICY};
    return true;
}

static bool find_letter(struct option *ret_option, const char *letters)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].letter == 0 || letters[0] != options[i].letter || letters[1] != '\0') continue;
        *ret_option = options[i];
        return true;
    }
    return false;
}

static int find_option(const struct parser *parser, struct found *found, char *word)
{
    bool is_long = word[1] == '-';
    char *name = word + (is_long ? 2 : 1);
    size_t length = is_long ? strcspn(name, "=") : strlen(name);
    *found = (struct found){.attached = name[length] == VALUE_SEPARATOR ? name + length + 1 : NULL};
    if (length >= sizeof found->name) return unknown_option(parser, word, "");
    memcpy(found->name, name, length);
    bool known = is_long ? find_long(&found->option, found->name) : find_letter(&found->option, found->name);
    if (!known) return unknown_option(parser, word, found->name);
    if (!(found->option.commands & BIT(parser->where))) return misplaced_option(parser, word);
    return 0;
}

/* ---- taking its value ---- */

static int number_value(unsigned *ret_number, const char *name, const char *value, unsigned min, unsigned max,
                        struct rp_error *error)
{
    uint64_t number = 0;
    bool good = value[0] != '\0';
    for (const char *digit = value; *digit && good; digit++) {
        good = *digit >= '0' && *digit <= '9' && number <= max;
        number = number * 10 + (uint64_t)(*digit - '0');
    }
    if (!good || number < min || number > max)
        return rp_error_set(error, -EINVAL, "--%s %s: take a whole number from %u to %u", name,
                            rpctl_quote(value).text, min, max);
    *ret_number = (unsigned)number;
    return 0;
}

static int env_value(const struct parser *parser, char *value)
{
    struct rpctl_command_line *line = parser->line;
    if (line->env_count == RPCTL_ENVIRONMENT_MAX)
        return rp_error_set(parser->error, -EINVAL, "--env: more than %d entries", RPCTL_ENVIRONMENT_MAX);
    int result = rpctl_environment_check(value, parser->error);
    if (result == 0) line->env[line->env_count++] = value;
    return result;
}

static int policy_value(const struct parser *parser, const struct found *found, const char *value)
{
    int result = rpctl_policy_settings_put(parser->line->policy, found->name, value, parser->error);
    if (result == -EINVAL) {
        char key_and_reason[RP_ERROR_MESSAGE_BYTES];
        memcpy(key_and_reason, parser->error->message, sizeof key_and_reason);
        rp_error_set(parser->error, result, "--%s", key_and_reason);
    }
    return result;
}

static int path_value(const char **ret_path, const struct found *found, const char *value,
                      struct rp_error *error)
{
    if (value[0] == '\0') return rp_error_set(error, -EINVAL, "--%s: the path is empty", found->name);
    *ret_path = value;
    return 0;
}

static int apply_value(const struct parser *parser, const struct found *found, char *value)
{
    struct rpctl_command_line *line = parser->line;
    switch (found->option.id) {
    case OPTION_NAME: line->name = value; return rpctl_service_name_check(value, parser->error);
    case OPTION_DIR: return path_value(&line->dir, found, value, parser->error);
    case OPTION_CONFIG: return path_value(&line->config, found, value, parser->error);
    case OPTION_ENV: return env_value(parser, value);
    case OPTION_LINES:
        return number_value(&line->lines, "lines", value, 0, RPCTL_LOG_LINES_MAX, parser->error);
    case OPTION_GENERATION:
        return number_value(&line->generation, "generation", value, 1, INT_MAX, parser->error);
    default: return policy_value(parser, found, value);
    }
}

static void apply_flag(struct parser *parser, enum option_id id)
{
    struct rpctl_command_line *line = parser->line;
    switch (id) {
    case OPTION_JSON: line->json = true; break;
    case OPTION_QUIET: line->quiet = true; break;
    case OPTION_WATCH: line->watch = true; break;
    case OPTION_FOLLOW: line->follow = true; break;
    case OPTION_VERSION: parser->where = line->command = RPCTL_COMMAND_VERSION; break;
    default: parser->help = true; break;
    }
}

static int take_option(struct parser *parser)
{
    char *word = *parser->next++;
    struct found found;
    int result = find_option(parser, &found, word);
    if (result < 0) return result;
    if (found.option.id == OPTION_POLICY && !found.option.takes_value)
        return policy_value(parser, &found, found.attached ? found.attached : "yes");
    if (!found.option.takes_value) {
        if (found.attached)
            return rp_error_set(parser->error, -EINVAL, "option %s takes no value", rpctl_quote(word).text);
        apply_flag(parser, found.option.id);
        return 0;
    }
    char *value = found.attached ? found.attached : *parser->next;
    if (!value)
        return rp_error_set(parser->error, -EINVAL, "option %s needs a value", rpctl_quote(word).text);
    if (!found.attached) parser->next++;
    return apply_value(parser, &found, value);
}

/* ---- words that are no options ---- */

static int find_command(enum rpctl_command *ret_command, const char *word, struct rp_error *error)
{
    for (unsigned i = 0; i < RPCTL_COMMAND_COUNT; i++) {
        if (strcmp(command_names[i], word) != 0) continue;
        *ret_command = (enum rpctl_command)i;
        return 0;
    }
    const char *near = rpctl_suggest(word, command_names, RPCTL_COMMAND_COUNT);
    if (near)
        return rp_error_set(error, -EINVAL, "unknown command %s; did you mean %s?", rpctl_quote(word).text,
                            near);
    return rp_error_set(error, -EINVAL, "unknown command %s; see: rpctl help", rpctl_quote(word).text);
}

static bool is_option(const char *word)
{
    return word && word[0] == '-' && word[1] != '\0';
}

/* Options up to the first word that is none; a "--" ends them too and is passed over. */
static int take_options(struct parser *parser)
{
    while (is_option(*parser->next)) {
        if (strcmp(*parser->next, "--") == 0) {
            parser->next++;
            return 0;
        }
        int result = take_option(parser);
        if (result < 0) return result;
    }
    return 0;
}

static int take_binary(struct parser *parser)
{
    struct rpctl_command_line *line = parser->line;
    if (!*parser->next)
        return rp_error_set(parser->error, -EINVAL, "%s needs the server's BINARY; see: %s",
                            command_names[parser->where], help_hint(parser));
    line->binary = *parser->next++;
    if (line->binary[0] == '\0') return rp_error_set(parser->error, -EINVAL, "BINARY is an empty text");
    if (*parser->next) line->args = parser->next;
    return 0;
}

static int take_topic(struct parser *parser)
{
    struct rpctl_command_line *line = parser->line;
    line->topic = RPCTL_COMMAND_COUNT;
    if (!*parser->next) return 0;
    return find_command(&line->topic, *parser->next++, parser->error);
}

static int take_nothing(const struct parser *parser)
{
    if (!*parser->next) return 0;
    return rp_error_set(parser->error, -EINVAL, "%s takes no argument %s; see: %s",
                        command_names[parser->where], rpctl_quote(*parser->next).text, help_hint(parser));
}

static int take_operands(struct parser *parser)
{
    if (BIT(parser->where) & TAKES_BINARY) return take_binary(parser);
    int result = parser->where == RPCTL_COMMAND_HELP ? take_topic(parser) : 0;
    return result < 0 ? result : take_nothing(parser);
}

static void turn_into_help(struct parser *parser)
{
    parser->line->topic = (enum rpctl_command)parser->where;
    parser->line->command = RPCTL_COMMAND_HELP;
}

static int take_command(struct parser *parser)
{
    if (parser->where == RPCTL_COMMAND_VERSION) return 0; /* rpctl --version */
    if (!*parser->next) {
        if (parser->help) return 0;
        return rp_error_set(parser->error, -EINVAL, "which command? see: rpctl help");
    }
    int result = find_command(&parser->line->command, *parser->next, parser->error);
    if (result < 0) return result;
    parser->next++;
    parser->where = parser->line->command;
    return take_options(parser);
}

static int check_json(const struct parser *parser)
{
    if (!parser->line->json || !(BIT(parser->where) & TAKES_NO_JSON)) return 0;
    return rp_error_set(parser->error, -EINVAL, "%s prints text only; leave out --json",
                        command_names[parser->where]);
}

static int parse(struct parser *parser)
{
    int result = take_options(parser);
    if (result == 0) result = take_command(parser);
    if (result < 0) return result;
    if (parser->help) {
        turn_into_help(parser);
        return 0;
    }
    result = check_json(parser);
    if (result == 0) result = take_operands(parser);
    if (result == 0) result = rpctl_service_name_check(parser->line->name, parser->error);
    return result;
}

static const char *unless_empty(const char *text, const char *otherwise)
{
    return text && text[0] != '\0' ? text : otherwise;
}

int rpctl_command_line_parse(struct rpctl_command_line *ret_line, int argc, char **argv,
                             const struct rpctl_command_line_defaults *defaults, struct rp_error *error)
{
    struct rp_error unseen;
    *ret_line = (struct rpctl_command_line){
        .command = RPCTL_COMMAND_HELP,
        .topic = RPCTL_COMMAND_COUNT,
        .name = unless_empty(defaults->name, RPCTL_SERVICE_NAME_DEFAULT),
        .dir = unless_empty(defaults->dir, NULL),
        .policy = json_object(),
        .lines = RPCTL_LOG_LINES_DEFAULT,
    };
    if (!ret_line->policy) return rp_error_set(error, -ENOMEM, "out of memory");
    struct parser parser = {.line = ret_line,
                            .next = argc > 0 ? argv + 1 : argv,
                            .where = BEFORE_COMMAND,
                            .error = error ? error : &unseen};
    return parse(&parser);
}

void rpctl_command_line_done(struct rpctl_command_line *line)
{
    json_decref(line->policy);
    line->policy = NULL;
}
