#include "linux/terminal.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool rpctl_terminal_is_live(int fd)
{
    const char *kind = getenv("TERM");
    return kind && kind[0] != '\0' && strcmp(kind, "dumb") != 0 && isatty(fd);
}

bool rpctl_terminal_has_colour(int fd)
{
    const char *no_colour = getenv("NO_COLOR");
    return rpctl_terminal_is_live(fd) && !(no_colour && no_colour[0] != '\0');
}

unsigned rpctl_terminal_width(int fd)
{
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

unsigned rpctl_terminal_rows(int fd)
{
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}
