#include "pure/result_line.h"
#include "fixture.h"
#include "pure/exit_code.h"

#include <jansson.h>
#include <string.h>

static char text[RPCTL_RESULT_LINE_BYTES];

static json_t *read_back(const struct rpctl_result_line *result)
{
    json_t *event;

    rpctl_result_line_format(text, result);
    cr_assert_null(strchr(text, '\n'));
    event = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(json_is_object(event), "%s", text);
    return event;
}

static const char *member(const json_t *event, const char *key)
{
    return json_string_value(json_object_get(event, key));
}

Test(result_line, of_an_operation)
{
    struct rpctl_result_line result = {.service = "web",
                                       .exit = RPCTL_EXIT_ROLLED_BACK,
                                       .reason = "it said \"no\\way\"\n\xff gr\xc3\xbc\xc3\x9f",
                                       .operation = "upgrade",
                                       .generation = 7,
                                       .ms = 1234.5};
    json_t *event = read_back(&result);

    cr_assert_str_eq(member(event, "event"), "result");
    cr_assert_str_eq(member(event, "service"), "web");
    cr_assert_str_eq(member(event, "outcome"), "rolled back");
    cr_assert_str_eq(member(event, "operation"), "upgrade");
    cr_assert_str_eq(member(event, "reason"), "it said \"no\\way\"?? gr\xc3\xbc\xc3\x9f");
    cr_assert_eq(json_integer_value(json_object_get(event, "exit")), 3);
    cr_assert_eq(json_integer_value(json_object_get(event, "generation")), 7);
    cr_assert_eq(json_real_value(json_object_get(event, "ms")), 1234.5);
    json_decref(event);
    expect_no_leak();
}

Test(result_line, without_an_operation_or_a_reason)
{
    struct rpctl_result_line result = {.service = "web", .exit = RPCTL_EXIT_DONE, .reason = ""};

    rpctl_result_line_format(text, &result);
    cr_assert_str_eq(
        text, "{\"event\":\"result\",\"schema\":1,\"service\":\"web\",\"exit\":0,\"outcome\":\"done\"}");
}

Test(result_line, a_reason_that_is_too_long_is_cut)
{
    static char quotes[2 * RPCTL_RESULT_LINE_BYTES];
    struct rpctl_result_line result = {.service = "web", .exit = RPCTL_EXIT_BUG, .reason = quotes};

    memset(quotes, '"', sizeof quotes - 1);
    json_decref(read_back(&result));
    cr_assert_gt(strlen(text), 1000);
}
