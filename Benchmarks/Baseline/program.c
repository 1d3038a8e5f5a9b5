#include "program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

volatile bool stop_requested = false;

static void handle_signal(int number) {
    (void)number;
    stop_requested = true;
}

void catch_signals(void) {
    // No SA_RESTART: a waiting poll must return.
    struct sigaction action = {.sa_handler = handle_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

uint64_t now_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
           + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void fail(const char *what, const char *detail) {
    fprintf(stderr, "error: %s: %s\n", what, detail);
    exit(1);
}

// MARK: options

struct options options_begin(int argc, char **argv, const char *usage) {
    struct options options = {.count = argc, .values = argv, .used = calloc((size_t)argc + 1, sizeof(bool))};
    options.used[0] = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            exit(0);
        }
    }
    return options;
}

const char *option_text(struct options *options, const char *name, const char *fallback) {
    for (int i = 1; i < options->count; i++) {
        if (options->used[i] || strcmp(options->values[i], name) != 0) continue;
        if (i + 1 >= options->count) fail(name, "needs a value");
        options->used[i] = options->used[i + 1] = true;
        return options->values[i + 1];
    }
    return fallback;
}

uint64_t option_number(struct options *options, const char *name, uint64_t fallback) {
    const char *text = option_text(options, name, NULL);
    if (!text) return fallback;
    char *end = NULL;
    uint64_t number = strtoull(text, &end, 10);
    if (end == text || *end != 0) fail(name, "needs a whole number");
    return number;
}

bool option_flag(struct options *options, const char *name) {
    for (int i = 1; i < options->count; i++) {
        if (options->used[i] || strcmp(options->values[i], name) != 0) continue;
        options->used[i] = true;
        return true;
    }
    return false;
}

void options_finish(struct options *options) {
    for (int i = 1; i < options->count; i++) {
        if (!options->used[i]) fail(options->values[i], "unknown option; see --help");
    }
    free(options->used);
}
