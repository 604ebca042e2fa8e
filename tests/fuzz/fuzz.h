/* What every target has: the entry that libFuzzer, or replay.c, calls. A target says what must hold with
 * assert(); the sanitizers say the rest. */
#ifndef RP_FUZZ_H
#define RP_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
