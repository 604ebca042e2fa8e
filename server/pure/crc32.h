/* CRC-32 as in zlib, gzip and PNG, so that any client can check an upload. */
#ifndef RP_PURE_CRC32_H
#define RP_PURE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc`, which is 0 at first. */
uint32_t rp_crc32(uint32_t crc, const void *bytes, size_t length);

#endif
