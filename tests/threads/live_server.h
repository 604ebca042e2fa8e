/* A server that runs on a thread of the test, and a blocking client on loopback.
 *
 * Sees the public headers alone. Whatever is not as expected ends the program with a line that says where.
 * Every wait ends with the event or fails after PATIENCE_MS. One server at a time. */
#ifndef TEST_THREADS_LIVE_SERVER_H
#define TEST_THREADS_LIVE_SERVER_H

#include <rp/server.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATIENCE_MS 60000

#define check(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) live_fail(__FILE__, __LINE__, #condition);                                         \
    } while (0)

_Noreturn void live_fail(const char *file, int line, const char *text);

/* One worker on a free port of 127.0.0.1, no idle grace. */
void live_config(struct rp_server_config *config);

/* rp_server_new; its log goes to live_await_log. */
struct rp_server *live_new(const struct rp_server_config *config);
void live_route(const char *methods, const char *path, rp_handler *handler);
void live_route_streaming(const char *methods, const char *path, rp_handler *handler);

/* rp_server_run on a thread of its own. */
void live_run(void);
/* Dialling leads there from now on, though it may not be ready yet. */
void live_await_listening(void);
/* live_run, and waits until it is ready. */
void live_start(void);
/* Reads the log up to a line with that word, and returns the line: until the next call. */
const char *live_await_log(const char *word);
/* Whether the server has told that it is ready; also after live_join. */
bool live_was_ready(void);
/* Waits for the end of rp_server_run and frees the server; returns what run returned. *ret_error may be NULL.
 */
int live_join(struct rp_error *ret_error);
/* rp_server_stop. */
void live_stop(void);
/* rp_server_stop and live_join, which must be 0. */
void live_finish(void);

int live_dial(void);
void live_say(int fd, const char *text);
void live_get(int fd, const char *path); /* a request, keep-alive */
/* Reads until the text has come, or, with NULL, to the end of the stream; the answer: until the next call. */
const char *live_hear(int fd, const char *until);
/* The client goes, with a reset. */
void live_reset(int fd);
/* One GET on a connection of its own. It is accepted in one turn of the only worker's loop and read in a
 * later one: whatever had reached the server before has been seen by then, and what was closed for it is
 * closed. */
const char *live_ask(const char *path);

/* A gate that threads wait at. */
struct live_gate {
    int pipe[2];
};

void live_gate_init(struct live_gate *gate);
void live_gate_open(struct live_gate *gate, unsigned times); /* lets so many pass */
void live_gate_pass(struct live_gate *gate);                 /* waits */
void live_gate_done(struct live_gate *gate);

#endif
