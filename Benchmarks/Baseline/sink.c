// The far end of `make bench`: counts what arrives and computes throughput, loss and latency.
#define _GNU_SOURCE
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: sink --port PORT --count N [--host 127.0.0.1] [--id sink] [--filter out/#] [--idle 3000] [--first 10000]\n"
    "            [--skip 0]\n"
    "Subscribes with QoS 1, prints 'ready', and ends after N messages, or when none came for --idle milliseconds\n"
    "after the first, or --first milliseconds without any. Prints one JSON line: messages, distinct ones, throughput\n"
    "between the first and the last, latency percentiles in microseconds.\n"
    "  --skip N    leave the first N messages out of the latencies\n";

struct sink {
    struct client client;
    uint64_t count, skip;
    uint64_t received, distinct, unparsed;
    uint64_t first, last;      // arrival times
    uint8_t *seen;             // by sequence number
    uint64_t *latencies;
    uint64_t measured;
};

// Reads `"n":…` and `"t":…` behind `"value":`. False when the payload is not one of the generator's.
static bool read_value(const struct mosquitto_message *message, uint64_t *number, uint64_t *time) {
    const char *end = (const char *)message->payload + message->payloadlen;
    const char *at = memmem(message->payload, (size_t)message->payloadlen, "\"value\":{\"n\":", 13);
    if (!at) return false;
    char *next = NULL;
    // strtoull stops at the comma or brace, which every parsed payload has behind the number.
    *number = strtoull(at + 13, &next, 10);
    if (end - next < 6 || memcmp(next, ",\"t\":", 5) != 0) return false;
    *time = strtoull(next + 5, NULL, 10);
    return true;
}

static void take(struct client *client, const struct mosquitto_message *message) {
    struct sink *self = client->context;
    uint64_t now = now_nanoseconds();
    if (self->received == 0) self->first = now;
    self->last = now;
    self->received++;

    uint64_t number = 0, time = 0;
    if (!read_value(message, &number, &time) || number >= self->count) {
        self->unparsed++;
        return;
    }
    if (self->seen[number]) return;
    self->seen[number] = 1;
    self->distinct++;
    if (self->distinct > self->skip && now > time) self->latencies[self->measured++] = now - time;
}

static int ascending(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static double percentile(const struct sink *self, double fraction) {
    if (self->measured == 0) return 0;
    uint64_t index = (uint64_t)(fraction * (double)(self->measured - 1) + 0.5);
    return (double)self->latencies[index] / 1000;
}

static void run(struct sink *self, uint64_t first_limit, uint64_t idle_limit) {
    uint64_t start = now_nanoseconds();
    while (!client_stop && self->distinct + self->unparsed < self->count) {
        struct pollfd entry = client_poll_entry(&self->client, true);
        poll(&entry, 1, 50);
        if (entry.revents & (POLLIN | POLLERR | POLLHUP)) client_read(&self->client, 400);
        client_write(&self->client);
        client_tick(&self->client);
        uint64_t now = now_nanoseconds();
        if (self->received == 0 ? now - start > first_limit : now - self->last > idle_limit) break;
    }
}

int main(int argc, char **argv) {
    static struct sink self;
    struct options options = options_begin(argc, argv, usage);
    struct address broker = {
        option_text(&options, "--host", "127.0.0.1"), (int)option_number(&options, "--port", 1883)};
    const char *id = option_text(&options, "--id", "sink");
    const char *filter = option_text(&options, "--filter", "out/#");
    uint64_t idle = option_number(&options, "--idle", 3000) * 1000000u;
    uint64_t first = option_number(&options, "--first", 10000) * 1000000u;
    self.count = option_number(&options, "--count", 0);
    self.skip = option_number(&options, "--skip", 0);
    options_finish(&options);
    if (self.count == 0) fail("--count", "is needed");
    self.seen = calloc(self.count, 1);
    self.latencies = calloc(self.count, sizeof(uint64_t));
    if (!self.seen || !self.latencies) fail("--count", "not enough memory");
    self.client.context = &self;
    self.client.on_message = take;

    client_catch_signals();
    client_open(&self.client, broker, id, true, 20);
    client_subscribe(&self.client, filter, 1);
    puts("ready");
    fflush(stdout);
    run(&self, first, idle);

    qsort(self.latencies, self.measured, sizeof(uint64_t), ascending);
    double seconds = (double)(self.last - self.first) / 1e9;
    printf("{\"received\":%llu,\"distinct\":%llu,\"unparsed\":%llu,\"seconds\":%.6f,\"throughput\":%.1f,"
           "\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}\n",
           (unsigned long long)self.received, (unsigned long long)self.distinct, (unsigned long long)self.unparsed,
           seconds, seconds > 0 ? (double)self.received / seconds : 0, percentile(&self, 0.5),
           percentile(&self, 0.99), percentile(&self, 0.999), percentile(&self, 1));
    client_close(&self.client);
    free(self.seen);
    free(self.latencies);
    return 0;
}
