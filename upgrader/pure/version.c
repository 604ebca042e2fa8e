#include "pure/version.h"

const char rpctl_version[] = RPCTL_VERSION;
