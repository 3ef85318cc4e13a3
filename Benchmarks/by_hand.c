// Part of Rollcall. SPDX-License-Identifier: Apache-2.0
//
// by_hand COUNT AT_ONCE FILE COMMAND...: starts the command so often, so many at a time, each with the file as its
// standard input and pipes for its output, which are read to their ends, and waits for it. Prints how many there were a
// second, and the milliseconds of processor time of each, this program's own share included. What a program has to do at
// least that runs commands for others.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void fail(const char *what) {
    fprintf(stderr, "by_hand: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static double cpu_of(int who) {
    struct rusage usage;
    if (getrusage(who, &usage)) fail("getrusage");
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static pid_t start(const char *file, char **command, struct pollfd *streams) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, file, O_RDONLY, 0);
    int ends[2][2];
    for (int stream = 0; stream < 2; stream++) {
        if (pipe2(ends[stream], O_CLOEXEC)) fail("pipe2");
        posix_spawn_file_actions_adddup2(&actions, ends[stream][1], stream + 1);
    }
    pid_t child;
    errno = posix_spawnp(&child, command[0], &actions, NULL, command, environ);
    if (errno) fail(command[0]);
    posix_spawn_file_actions_destroy(&actions);
    for (int stream = 0; stream < 2; stream++) {
        close(ends[stream][1]);
        streams[stream] = (struct pollfd){.fd = ends[stream][0], .events = POLLIN};
    }
    return child;
}

int main(int count_of_arguments, char **arguments) {
    if (count_of_arguments < 5) {
        fprintf(stderr, "usage: by_hand COUNT AT_ONCE FILE COMMAND...\n");
        return 2;
    }
    int count = atoi(arguments[1]), at_once = atoi(arguments[2]), started = 0, ended = 0;
    pid_t *children = calloc(at_once, sizeof *children);
    struct pollfd *streams = calloc(2 * at_once, sizeof *streams);
    if (!children || !streams) fail("calloc");
    for (int place = 0; place < 2 * at_once; place++) streams[place].fd = -1;
    static char buffer[1 << 16];
    double begin = seconds(), cpu = cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN);
    while (ended < count) {
        for (int place = 0; place < at_once && started < count; place++) {
            if (children[place]) continue;
            children[place] = start(arguments[3], arguments + 4, streams + 2 * place);
            started++;
        }
        if (poll(streams, 2 * at_once, -1) < 0 && errno != EINTR) fail("poll");
        for (int place = 0; place < at_once; place++) {
            if (!children[place]) continue;
            struct pollfd *own = streams + 2 * place;
            for (int stream = 0; stream < 2; stream++) {
                if (own[stream].fd < 0 || !own[stream].revents) continue;
                if (read(own[stream].fd, buffer, sizeof buffer) > 0) continue;
                close(own[stream].fd);
                own[stream].fd = -1;
            }
            if (own[0].fd >= 0 || own[1].fd >= 0) continue;
            int status;
            if (waitpid(children[place], &status, 0) < 0) fail("waitpid");
            if (status) {
                fprintf(stderr, "by_hand: %s ended with %d\n", arguments[4], status);
                return 1;
            }
            children[place] = 0;
            ended++;
        }
    }
    cpu = cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN) - cpu;
    printf("%.3f %.6f\n", count / (seconds() - begin), cpu / count * 1e3);
    return 0;
}
