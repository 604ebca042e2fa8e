/* The version of this rpctl. */
#ifndef RPCTL_VERSION_H
#define RPCTL_VERSION_H

extern const char rpctl_version[];

#endif
