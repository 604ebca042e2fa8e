#include "shell/service.h"

#include <stdarg.h>
#include <stdio.h>

void rp_service_log(const struct rp_service *service, const char *format, ...)
{
    if (!service->log) return;
    char line[RP_SERVICE_LOG_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    service->log(line, service->log_user);
}
