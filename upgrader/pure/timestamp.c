#include "pure/timestamp.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#define SECONDS_PER_DAY 86400
#define SECONDS_MAX     253402300799 /* 9999-12-31T23:59:59Z */

struct date {
    int year, month, day;
};

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

static int64_t days_before_year(int year)
{
    int64_t y = year - 1;
    return y * 365 + y / 4 - y / 100 + y / 400;
}

static int64_t days_since_1970(struct date date)
{
    int64_t days = days_before_year(date.year) - days_before_year(1970) + date.day - 1;
    for (int month = 1; month < date.month; month++) days += days_in_month(date.year, month);
    return days;
}

static struct date date_of_days(int64_t days)
{
    struct date date = {1970 + (int)(days / 366), 1, 1};
    while (days_before_year(date.year + 1) - days_before_year(1970) <= days) date.year++;
    int64_t left = days - days_since_1970(date);
    while (left >= days_in_month(date.year, date.month)) left -= days_in_month(date.year, date.month++);
    date.day = (int)left + 1;
    return date;
}

static bool digits(const char **text, int count, int *ret_number)
{
    *ret_number = 0;
    for (; count > 0; count--, (*text)++) {
        if (**text < '0' || **text > '9') return false;
        *ret_number = *ret_number * 10 + (**text - '0');
    }
    return true;
}

static bool literal(const char **text, char wanted)
{
    if (**text != wanted) return false;
    (*text)++;
    return true;
}

static bool fraction_and_zone(const char *text)
{
    if (literal(&text, '.')) {
        int digit;
        if (!digits(&text, 1, &digit)) return false;
        while (digits(&text, 1, &digit)) continue;
    }
    return literal(&text, 'Z') && *text == '\0';
}

int rpctl_timestamp_parse(int64_t *ret_seconds, const char *text)
{
    struct date date;
    int hour, minute, second;
    if (!digits(&text, 4, &date.year) || !literal(&text, '-') || !digits(&text, 2, &date.month) ||
        !literal(&text, '-') || !digits(&text, 2, &date.day) || !literal(&text, 'T') ||
        !digits(&text, 2, &hour) || !literal(&text, ':') || !digits(&text, 2, &minute) ||
        !literal(&text, ':') || !digits(&text, 2, &second) || !fraction_and_zone(text))
        return -EINVAL;
    if (date.year < 1970 || date.month < 1 || date.month > 12 || date.day < 1 ||
        date.day > days_in_month(date.year, date.month) || hour > 23 || minute > 59 || second > 60)
        return -EINVAL;
    *ret_seconds = days_since_1970(date) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    return 0;
}

void rpctl_timestamp_format(int64_t seconds, char text[RPCTL_TIMESTAMP_BYTES])
{
    int64_t bounded = seconds < 0 ? 0 : seconds > SECONDS_MAX ? SECONDS_MAX : seconds;
    struct date date = date_of_days(bounded / SECONDS_PER_DAY);
    int left = (int)(bounded % SECONDS_PER_DAY);
    snprintf(text, RPCTL_TIMESTAMP_BYTES, "%04d-%02d-%02dT%02d:%02d:%02dZ", date.year, date.month, date.day,
             left / 3600, left / 60 % 60, left % 60);
}
