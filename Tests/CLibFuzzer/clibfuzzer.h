// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

#include <stddef.h>
#include <stdint.h>

/// libFuzzer's loop. It reads its options from the arguments, and ends the process.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));
