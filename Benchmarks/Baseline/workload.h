// The load every generator sends, and what every far end makes of it; the brokers differ, the messages do not.
//
// The load is Ditto Protocol commands for a fleet of devices. `modify` sets one property to {"n": sequence, "t":
// nanoseconds}; both a pass-through and the event of a twin echo it at "value", so the far end computes loss, order and
// latency from either. `create` makes the things of `--size` bytes.
#ifndef TWINSPAN_BENCH_WORKLOAD_H
#define TWINSPAN_BENCH_WORKLOAD_H

#include "program.h"

#include <stddef.h>

enum { payload_limit = 70000 };

struct workload {
    const char *policy;
    bool creating;
    uint64_t devices, first, stride, count, rate, size;
    uint64_t start, end;       // absolute times; no end: 0
    uint64_t made;             // messages so far
    uint64_t device;           // of the last message
    char payload[payload_limit];
};

#define WORKLOAD_USAGE \
    "  --count N       messages to send (or --seconds S)\n" \
    "  --devices D     their devices are first + (i mod D) * stride; --first 0, --stride 1, default 1000\n" \
    "  --rate R        messages per second, evenly spaced (default: full speed)\n" \
    "  --mode M        modify (default) or create\n" \
    "  --size N        bytes of JSON text of a created thing (500)\n" \
    "  --policy P      policy id of created things; empty: each thing gets a default policy of its own\n"

// Takes the options above.
void workload_options(struct workload *load, struct options *options);
// Call it when the connection stands; `--seconds` and `--rate` count from here.
void workload_begin(struct workload *load);
bool workload_finished(const struct workload *load);
// When the next message should leave, not when it does: a stalled sender must not hide latency. At full speed: now.
uint64_t workload_due(const struct workload *load);
// Writes the next message to `payload` and its device to `device`; returns the length.
size_t workload_next(struct workload *load, uint64_t due);
// Prints the generator's JSON line.
void workload_print(const struct workload *load, uint64_t confirmed);

struct arrivals {
    uint64_t count, skip, idle, first_limit;
    uint64_t received, distinct, unparsed, disordered;
    uint64_t start, first, last;   // absolute times
    uint64_t first_due;            // of the messages that arrived
    uint8_t *seen;                 // by sequence number
    uint64_t *last_of_device;      // sequence number + 1
    uint64_t *latencies;
    uint64_t measured;
};

#define ARRIVALS_USAGE \
    "  --count N       messages to wait for (1)\n" \
    "  --idle MS       ends when none came for so long after the first (3000)\n" \
    "  --first-within MS   ends when none came at all (10000)\n" \
    "  --skip N        leave the first N messages out of the latencies\n"

// Takes the options above and allocates.
void arrivals_options(struct arrivals *arrivals, struct options *options);
// Forgets everything and expects so many messages.
void arrivals_reset(struct arrivals *arrivals, uint64_t count);
// Says 'ready' on stdout.
void arrivals_begin(struct arrivals *arrivals);
void arrivals_take(struct arrivals *arrivals, const void *payload, size_t length);
bool arrivals_finished(const struct arrivals *arrivals);
// Prints the far end's JSON line: messages, distinct ones, throughput between the first and the last and from when the
// first was sent, messages that came behind a later one of their device, latency percentiles in microseconds.
void arrivals_print(struct arrivals *arrivals);

#endif
