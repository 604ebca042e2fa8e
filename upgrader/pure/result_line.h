/* A plain `result` event as a line of the control protocol, made without memory: a client must hear the
 * outcome also when there is none. Pure. */
#ifndef RPCTL_RESULT_LINE_H
#define RPCTL_RESULT_LINE_H

#define RPCTL_RESULT_LINE_BYTES 4096

struct rpctl_result_line {
    const char *service;
    int exit;
    const char *reason;    /* any bytes; "" = none */
    const char *operation; /* NULL: none, and the two below are left out too */
    unsigned generation;   /* that serves now */
    double ms;
};

/* Without its newline. A reason that is too long is cut. */
void rpctl_result_line_format(char text[RPCTL_RESULT_LINE_BYTES], const struct rpctl_result_line *result);

#endif
