// What every benchmark program has: clocks, signals, options, an end with a message.
#ifndef TWINSPAN_BENCH_PROGRAM_H
#define TWINSPAN_BENCH_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

// Set by SIGTERM and SIGINT once `catch_signals` was called.
extern volatile bool stop_requested;
void catch_signals(void);

uint64_t now_nanoseconds(void);      // CLOCK_MONOTONIC, which all processes of one machine share
double cpu_seconds(void);            // user and system time of this process so far
_Noreturn void fail(const char *what, const char *detail);

// Options of the form `--name value` and `--name`. Each call marks what it consumed; `options_finish` refuses the rest.
struct options {
    int count;
    char **values;
    bool *used;
};
struct options options_begin(int argc, char **argv, const char *usage);
const char *option_text(struct options *options, const char *name, const char *fallback);
uint64_t option_number(struct options *options, const char *name, uint64_t fallback);
bool option_flag(struct options *options, const char *name);
void options_finish(struct options *options);

#endif
