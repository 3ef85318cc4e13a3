// Part of Rollcall. SPDX-License-Identifier: Apache-2.0
//
// busy MILLISECONDS: reads its input, uses the processor for so long in hardly any memory, and prints a line.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count != 2) return 2;
    char buffer[65536];
    while (read(0, buffer, sizeof buffer) > 0) continue;
    double limit = atof(arguments[1]) / 1e3;
    struct timespec used;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    while (used.tv_sec + used.tv_nsec / 1e9 < limit);
    puts("done");
}
