// A broker's client library as `flow.c` uses it; one implementation per library, one program of each.
//
// A source hands over messages in order and counts them from one; settling n says that the first n are done. A target
// counts what it sent in the same way. Nothing here blocks but opening and closing. One thread owns everything. All
// of it ends the program with a message when the broker fails: a benchmark does not recover.
#ifndef TWINSPAN_BENCH_TRANSPORT_H
#define TWINSPAN_BENCH_TRANSPORT_H

#include "program.h"

#include <poll.h>
#include <stddef.h>

struct message {
    const char *key;        // of the device, or what this broker has instead; not zero-terminated
    size_t key_length;
    const void *payload;
    size_t length;
};

typedef void (*take_message)(void *context, const struct message *message);

// Lines for --help, and the options behind them (the address of the broker).
extern const char *const transport_usage;
void transport_options(struct options *options);
// Makes what the load needs at the broker: `--queue` and so on. Programs without it refuse the role.
void transport_declare(const char *address);

struct source;
// `window`: how many unsettled messages the broker may give. `is_group`: places survive in the broker, and a second run
// goes on where the first one ended; else the source begins with what comes from now on.
struct source *source_open(const char *address, uint64_t window, bool is_group, take_message take, void *context);
struct pollfd source_entry(struct source *source);
// True when messages may lie in the library already, so that nobody must sleep in `poll`.
bool source_has_more(struct source *source);
// Hands over messages until none is there or about `limit` were.
void source_read(struct source *source, uint64_t limit);
// Needs no flush; leaves with this call or the next `source_read`.
void source_settle(struct source *source, uint64_t count);
void source_close(struct source *source);

struct target;
struct target *target_open(const char *address, uint64_t window);
struct pollfd target_entry(struct target *target);
bool target_has_more(struct target *target);
// At most `window` unconfirmed messages: the caller sees to it.
void target_send(struct target *target, const struct message *message);
// Sends what is queued and reads confirmations. Returns how many messages, from the first on, are confirmed without a
// gap.
uint64_t target_work(struct target *target);
void target_close(struct target *target);

// Confirmations come in any order; this finds the end of those without a gap. `capacity` is a power of two above the
// window.
struct window {
    bool *done;
    uint64_t capacity, sent, confirmed;
};

void window_begin(struct window *window, uint64_t at_least);
void window_confirm(struct window *window, uint64_t number);  // counted from one
uint64_t window_capacity(uint64_t at_least);

#endif
