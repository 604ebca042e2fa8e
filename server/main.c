/* rp-server: the ready release binary. */
#include "shell/program.h"

static void answer_root(struct rp_request *request, void *user)
{
    (void)user;
    rp_response_text(request, 200, "rp-server %s\n", RP_VERSION);
}

static int set_up(struct rp_server *server, void *user, struct rp_error *error)
{
    (void)user;
    return rp_server_route(server, "GET", "/", answer_root, NULL, error);
}

int main(int argc, char *argv[])
{
    const struct rp_program program = {
        .name = "rp-server",
        .summary = "An HTTP server that can be upgraded without losing a connection.",
        .version = RP_VERSION,
        .set_up = set_up,
    };
    return rp_program_main(&program, argc, argv);
}
