// The load of `make bench`: Ditto Protocol commands for a fleet of devices, QoS 1, one topic per device.
//
// `modify` sets one property to {"n": sequence, "t": nanoseconds}; both a pass-through and the event of a twin echo it
// at "value", so the sink computes loss and latency from either. `create` makes the things of `--size` bytes.
#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

static const char usage[] =
    "usage: generator --port PORT [--host 127.0.0.1] [--id generator] [--prefix telemetry] [--mode modify|create]\n"
    "                 [--devices 1000] [--first 0] [--stride 1] [--count N | --seconds S] [--rate R] [--window 200]\n"
    "                 [--size 500] [--policy bench:fleet]\n"
    "Publishes on <prefix>/device-<d>, d = first + (i mod devices) * stride, and waits for every PUBACK. Prints one\n"
    "JSON line: messages sent and seconds taken.\n"
    "  --rate R    messages per second, evenly spaced (default: full speed, at most --window unconfirmed)\n"
    "  --size N    bytes of JSON text of a created thing\n"
    "  --policy P  policy id of created things; empty: each thing gets a default policy of its own\n";

enum { payload_limit = 70000 };

struct generator {
    struct client client;
    const char *prefix, *policy;
    bool creating;
    uint64_t devices, first, stride, count, rate, window, size;
    uint64_t end;          // absolute time, 0 for none
    uint64_t sent;
    char payload[payload_limit];
};

static size_t write_modify(struct generator *self, uint64_t device, uint64_t time) {
    return (size_t)snprintf(
        self->payload, payload_limit,
        "{\"topic\":\"bench/device-%llu/things/twin/commands/modify\",\"headers\":{\"response-required\":false,"
        "\"correlation-id\":\"bench-%llu\"},\"path\":\"/features/engine/properties/speed\","
        "\"value\":{\"n\":%llu,\"t\":%llu}}",
        (unsigned long long)device, (unsigned long long)self->sent, (unsigned long long)self->sent,
        (unsigned long long)time);
}

static size_t write_thing(struct generator *self, char *text, size_t limit, uint64_t device, int padding) {
    char policy[300] = "";
    if (*self->policy) snprintf(policy, sizeof policy, "\"policyId\":\"%s\",", self->policy);
    return (size_t)snprintf(
        text, limit,
        "{\"thingId\":\"bench:device-%llu\",%s\"attributes\":{\"manufacturer\":\"Example Works\",\"model\":\"P-300\","
        "\"location\":{\"site\":\"north\",\"floor\":2},\"commissioned\":true,\"note\":\"%0*d\"},\"features\":{"
        "\"engine\":{\"properties\":{\"speed\":{\"n\":0,\"t\":0},\"temperature\":71.5,\"status\":\"running\"}},"
        "\"battery\":{\"properties\":{\"charge\":87,\"voltage\":12.4,\"cycles\":312}},"
        "\"network\":{\"properties\":{\"signal\":-67,\"address\":\"198.51.100.17\"}}}}",
        (unsigned long long)device, policy, padding, 0);
}

static size_t write_create(struct generator *self, uint64_t device) {
    size_t bare = write_thing(self, NULL, 0, device, 1);
    int padding = self->size > bare ? (int)(self->size - bare) + 1 : 1;
    size_t length = (size_t)snprintf(
        self->payload, payload_limit,
        "{\"topic\":\"bench/device-%llu/things/twin/commands/create\",\"headers\":{\"response-required\":false,"
        "\"correlation-id\":\"create-%llu\"},\"path\":\"/\",\"value\":",
        (unsigned long long)device, (unsigned long long)device);
    length += write_thing(self, self->payload + length, payload_limit - length, device, padding);
    self->payload[length++] = '}';
    return length;
}

static void publish_next(struct generator *self, uint64_t time) {
    uint64_t device = self->first + (self->sent % self->devices) * self->stride;
    size_t length = self->creating ? write_create(self, device) : write_modify(self, device, time);
    char topic[256];
    snprintf(topic, sizeof topic, "%s/device-%llu", self->prefix, (unsigned long long)device);
    client_publish(&self->client, topic, self->payload, length, 1);
    self->sent++;
}

static bool finished(const struct generator *self, uint64_t now) {
    return client_stop || (self->count && self->sent >= self->count) || (self->end && now >= self->end);
}

// Sleeps until the socket is ready or `until` (absolute; 0: at most a second) has come.
static void wait_until(struct generator *self, uint64_t until) {
    uint64_t now = now_nanoseconds();
    uint64_t left = until ? (until > now ? until - now : 0) : 1000000000u;
    struct timespec timeout = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
    struct pollfd entry = client_poll_entry(&self->client, true);
    ppoll(&entry, 1, &timeout, NULL);
    if (entry.revents & (POLLIN | POLLERR | POLLHUP)) client_read(&self->client, 400);
    client_tick(&self->client);
}

static void run_at_full_speed(struct generator *self) {
    while (!finished(self, now_nanoseconds())) {
        while (self->client.outstanding < self->window && !finished(self, now_nanoseconds())) {
            publish_next(self, now_nanoseconds());
        }
        client_write(&self->client);
        wait_until(self, 0);
    }
}

static void run_at_rate(struct generator *self) {
    uint64_t start = now_nanoseconds();
    while (!finished(self, now_nanoseconds())) {
        // The time a message should leave, not when it does: a stalled sender must not hide latency.
        uint64_t due = start + (uint64_t)((double)self->sent * 1e9 / (double)self->rate);
        if (now_nanoseconds() < due) {
            wait_until(self, due);
            continue;
        }
        publish_next(self, due);
        client_write(&self->client);
    }
}

int main(int argc, char **argv) {
    static struct generator self;
    struct options options = options_begin(argc, argv, usage);
    struct address broker = {
        option_text(&options, "--host", "127.0.0.1"), (int)option_number(&options, "--port", 1883)};
    const char *id = option_text(&options, "--id", "generator");
    const char *mode = option_text(&options, "--mode", "modify");
    self.prefix = option_text(&options, "--prefix", "telemetry");
    self.policy = option_text(&options, "--policy", "bench:fleet");
    self.devices = option_number(&options, "--devices", 1000);
    self.first = option_number(&options, "--first", 0);
    self.stride = option_number(&options, "--stride", 1);
    self.count = option_number(&options, "--count", 0);
    self.rate = option_number(&options, "--rate", 0);
    self.window = option_number(&options, "--window", 200);
    self.size = option_number(&options, "--size", 500);
    uint64_t seconds = option_number(&options, "--seconds", 0);
    options_finish(&options);
    self.creating = strcmp(mode, "create") == 0;
    if (!self.creating && strcmp(mode, "modify") != 0) fail("--mode", "is modify or create");
    if (!self.count && !seconds) fail("--count", "or --seconds is needed");
    if (self.devices == 0 || self.window == 0) fail("--devices", "and --window must be at least 1");
    if (self.size > payload_limit - 1000) fail("--size", "is too large");

    prctl(PR_SET_TIMERSLACK, 1000ul);  // nanoseconds; the default of 50 µs would blur the spacing
    client_catch_signals();
    client_open(&self.client, broker, id, true, (int)(self.window < 65535 ? self.window : 65535));
    uint64_t start = now_nanoseconds();
    if (seconds) self.end = start + seconds * 1000000000u;
    if (self.rate) run_at_rate(&self);
    else run_at_full_speed(&self);
    while (self.client.outstanding > 0 && !client_stop) {
        client_write(&self.client);
        wait_until(&self, 0);
    }
    double taken = (double)(now_nanoseconds() - start) / 1e9;
    printf("{\"sent\":%llu,\"confirmed\":%llu,\"seconds\":%.6f,\"cpuSeconds\":%.6f}\n", (unsigned long long)self.sent,
           (unsigned long long)self.client.confirmed, taken, cpu_seconds());
    client_close(&self.client);
    return self.client.outstanding == 0 ? 0 : 1;
}
