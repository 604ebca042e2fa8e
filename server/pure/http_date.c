#include "pure/http_date.h"

#include <assert.h>
#include <string.h>

#define DAY_SECONDS   86400
#define DAYS_TO_10000 2932897 /* from 1970-01-01 */

struct date {
    int year, month, day; /* month from 0 */
};

/* Proleptic Gregorian calendar with years that begin in March, so that the leap day is the last day. */
static struct date date_of(int64_t days)
{
    days += 719468; /* from 0000-03-01 */
    int era = (int)(days / 146097);
    int of_era = (int)(days % 146097);
    int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * year + year / 4 - year / 100);
    int march_month = (5 * of_year + 2) / 153;
    struct date date = {
        .year = year + era * 400 + (march_month >= 10 ? 1 : 0),
        .month = (march_month + 2) % 12,
        .day = of_year - (153 * march_month + 2) / 5 + 1,
    };
    return date;
}

static void put_digits(char *at, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void rp_http_date_format(int64_t seconds, char text[RP_HTTP_DATE_BYTES])
{
    static const char days[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    assert(seconds >= 0 && seconds / DAY_SECONDS < DAYS_TO_10000);
    int64_t day = seconds / DAY_SECONDS;
    int second = (int)(seconds % DAY_SECONDS);
    struct date date = date_of(day);
    memcpy(text, "Ddd, 00 Mmm 0000 00:00:00 GMT", RP_HTTP_DATE_BYTES);
    memcpy(text, days + 3 * (day % 7), 3);
    put_digits(text + 5, date.day, 2);
    memcpy(text + 8, months + (size_t)date.month * 3, 3);
    put_digits(text + 12, date.year, 4);
    put_digits(text + 17, second / 3600, 2);
    put_digits(text + 20, second / 60 % 60, 2);
    put_digits(text + 23, second % 60, 2);
}
