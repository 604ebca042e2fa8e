/* In place of upgrader/pure/version.c: the version of an rpctl that is yet to come. */
#include "pure/version.h"

const char rpctl_version[] = "99.1.0";
