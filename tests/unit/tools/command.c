#include "load/command.h"

#include <criterion/criterion.h>

Test(command, known)
{
    cr_assert_eq(load_command_parse("stop").kind, LOAD_COMMAND_STOP);
    cr_assert_eq(load_command_parse("settle").kind, LOAD_COMMAND_SETTLE);
    struct load_command command = load_command_parse("mark upgrade 3");
    cr_assert_eq(command.kind, LOAD_COMMAND_MARK);
    cr_assert_str_eq(command.name, "upgrade 3");
    command = load_command_parse("answers 1000");
    cr_assert_eq(command.kind, LOAD_COMMAND_ANSWERS);
    cr_assert_eq(command.count, 1000);
}

Test(command, unknown)
{
    static const char *const bad[] = {"",
                                      "stop ",
                                      "settle ",
                                      "mark",
                                      "mark ",
                                      "answers",
                                      "answers ",
                                      "answers -1",
                                      "answers 10x",
                                      "Stop",
                                      "answers 99999999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(load_command_parse(bad[i]).kind, LOAD_COMMAND_BAD, "taken: %s", bad[i]);
}
