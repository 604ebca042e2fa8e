/* The body of `GET /` of the demo servers: "Client [ADDR:PORT] Received msg from Server PID: [N]". Pure. */
#ifndef LOAD_GREETING_H
#define LOAD_GREETING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct load_greeting {
    uint16_t client_port; /* compared with our own port: an answer for somebody else is seen */
    uint32_t pid;
};

/* False when the text is anything else; a newline at the end is allowed. Written only on success. */
bool load_greeting_parse(struct load_greeting *ret_greeting, const char *text, size_t size);

#endif
