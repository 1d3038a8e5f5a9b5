// The baseline, the load and the far end for one broker (transport.h) as one program with several roles.
#define _GNU_SOURCE
#include "transport.h"
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage_head[] =
    "usage: PROGRAM relay    --from ADDRESS --to ADDRESS [--window 500]\n"
    "       PROGRAM generate --to ADDRESS --count N [--window 500] …\n"
    "       PROGRAM collect  --from ADDRESS --count N …\n"
    "       PROGRAM declare  --address ADDRESS [--address ADDRESS …]\n"
    "relay     passes each message on and settles it when the copy is confirmed, and does nothing else: the baseline.\n"
    "          Prints 'ready'; on SIGTERM one JSON line: messages passed on and CPU seconds used.\n"
    "generate  sends the load and waits for every confirmation; prints one JSON line.\n"
    "collect   the far end: prints 'ready', and when it is done one JSON line.\n"
    "declare   makes what the others need at the broker.\n"
    "  --window W      at most so many unconfirmed messages\n";

static void print_usage(void) {
    printf("%sgenerate:\n%scollect:\n%sthe broker:\n%s", usage_head, WORKLOAD_USAGE, ARRIVALS_USAGE, transport_usage);
}

// MARK: confirmations without a gap

uint64_t window_capacity(uint64_t at_least) {
    uint64_t capacity = 1024;
    while (capacity <= at_least) capacity *= 2;
    return capacity;
}

void window_begin(struct window *window, uint64_t at_least) {
    window->capacity = window_capacity(at_least);
    window->done = calloc(window->capacity, sizeof(bool));
    if (!window->done) fail("--window", "not enough memory");
}

void window_confirm(struct window *window, uint64_t number) {
    if (number <= window->confirmed || number > window->sent) return;
    window->done[number & (window->capacity - 1)] = true;
    while (window->confirmed < window->sent && window->done[(window->confirmed + 1) & (window->capacity - 1)]) {
        window->confirmed++;
        window->done[window->confirmed & (window->capacity - 1)] = false;
    }
}

// MARK: relay

struct relay {
    struct source *source;
    struct target *target;
    uint64_t taken, confirmed;
};

static void pass_on(void *context, const struct message *message) {
    struct relay *self = context;
    target_send(self->target, message);
    self->taken++;
}

static int relay(struct options *options) {
    struct relay self = {0};
    const char *from = option_text(options, "--from", NULL), *to = option_text(options, "--to", NULL);
    uint64_t window = option_number(options, "--window", 500);
    transport_options(options);
    options_finish(options);
    if (!from || !to || !window) fail("relay", "needs --from, --to and a --window of at least 1");
    self.target = target_open(to, window);
    self.source = source_open(from, window, true, pass_on, &self);
    puts("ready");
    fflush(stdout);
    while (!stop_requested) {
        bool reading = self.taken - self.confirmed < window;
        struct pollfd entries[2] = {target_entry(self.target), source_entry(self.source)};
        if (!target_has_more(self.target) && !(reading && source_has_more(self.source))) {
            poll(entries, reading ? 2 : 1, 1000);
        }
        if (reading) source_read(self.source, window - (self.taken - self.confirmed));
        uint64_t confirmed = target_work(self.target);
        if (confirmed > self.confirmed) {
            self.confirmed = confirmed;
            source_settle(self.source, confirmed);
        }
    }
    printf("{\"messages\":%llu,\"cpuSeconds\":%.6f}\n", (unsigned long long)self.taken, cpu_seconds());
    fflush(stdout);
    source_close(self.source);
    target_close(self.target);
    return 0;
}

// MARK: generate

// Sleeps until the broker says something or `until` (absolute) has come.
static void wait_until(struct target *target, uint64_t until) {
    uint64_t now = now_nanoseconds();
    if (target_has_more(target) || until <= now) return;
    struct timespec timeout = {(time_t)((until - now) / 1000000000u), (long)((until - now) % 1000000000u)};
    struct pollfd entry = target_entry(target);
    ppoll(&entry, 1, &timeout, NULL);
}

static int generate(struct options *options) {
    static struct workload load;
    const char *to = option_text(options, "--to", NULL);
    uint64_t window = option_number(options, "--window", 500);
    workload_options(&load, options);
    transport_options(options);
    options_finish(options);
    if (!to || !window) fail("generate", "needs --to and a --window of at least 1");
    struct target *target = target_open(to, window);
    uint64_t confirmed = 0;
    workload_begin(&load);
    while (!workload_finished(&load)) {
        uint64_t due = workload_due(&load), now = now_nanoseconds();
        while (load.made - confirmed < window && due <= now && !workload_finished(&load)) {
            size_t length = workload_next(&load, due);
            char key[64];
            int key_length = snprintf(key, sizeof key, "bench:device-%llu", (unsigned long long)load.device);
            target_send(target, &(struct message){key, (size_t)key_length, load.payload, length});
            due = load.rate ? workload_due(&load) : now;
        }
        confirmed = target_work(target);
        uint64_t second = now_nanoseconds() + 1000000000u;
        wait_until(target, load.rate && due < second ? due : load.made - confirmed < window ? 0 : second);
        confirmed = target_work(target);
    }
    while (confirmed < load.made && !stop_requested) {
        wait_until(target, now_nanoseconds() + 1000000000u);
        confirmed = target_work(target);
    }
    workload_print(&load, confirmed);
    target_close(target);
    return confirmed == load.made ? 0 : 1;
}

// MARK: collect

struct collector {
    struct arrivals arrivals;
    uint64_t taken;
};

static void collect_one(void *context, const struct message *message) {
    struct collector *self = context;
    arrivals_take(&self->arrivals, message->payload, message->length);
    self->taken++;
}

static int collect(struct options *options) {
    static struct collector self;
    const char *from = option_text(options, "--from", NULL);
    arrivals_options(&self.arrivals, options);
    transport_options(options);
    options_finish(options);
    if (!from) fail("collect", "needs --from");
    struct source *source = source_open(from, 1000, false, collect_one, &self);
    arrivals_begin(&self.arrivals);
    while (!arrivals_finished(&self.arrivals)) {
        struct pollfd entry = source_entry(source);
        if (!source_has_more(source)) poll(&entry, 1, 50);
        uint64_t before = self.taken;
        source_read(source, 500);
        if (self.taken > before) source_settle(source, self.taken);
    }
    arrivals_print(&self.arrivals);
    source_close(source);
    return 0;
}

static int declare(struct options *options) {
    transport_options(options);
    const char *address;
    while ((address = option_text(options, "--address", NULL))) transport_declare(address);
    options_finish(options);
    return 0;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_usage();
            return 0;
        }
    }
    if (argc < 2) fail("no role", "see --help");
    struct options options = options_begin(argc, argv, "");
    options.used[1] = true;
    catch_signals();
    if (strcmp(argv[1], "relay") == 0) return relay(&options);
    if (strcmp(argv[1], "generate") == 0) return generate(&options);
    if (strcmp(argv[1], "collect") == 0) return collect(&options);
    if (strcmp(argv[1], "declare") == 0) return declare(&options);
    fail(argv[1], "is no role; see --help");
}
