/* The Date header's form of a time: "Sun, 06 Nov 1994 08:49:37 GMT".
 *
 * Pure arithmetic: no locale and no time zone. */
#ifndef RP_PURE_HTTP_DATE_H
#define RP_PURE_HTTP_DATE_H

#include <stdint.h>

#define RP_HTTP_DATE_BYTES 30 /* with the terminating zero */

/* Seconds since 1970 UTC, at least 0 and before the year 10000. */
void rp_http_date_format(int64_t seconds, char text[RP_HTTP_DATE_BYTES]);

#endif
