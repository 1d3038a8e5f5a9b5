// The load of `make bench` over MQTT: QoS 1, one topic per device.
#define _GNU_SOURCE
#include "client.h"
#include "workload.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>

static const char usage[] =
    "usage: generator --port PORT --count N [--host 127.0.0.1] [--id generator] [--prefix telemetry]\n"
    "                 [--window 200] …\n"
    "Publishes on <prefix>/device-<d> and waits for every PUBACK. Prints one JSON line: messages sent and seconds\n"
    "taken.\n"
    "  --window W      at most so many unconfirmed messages at full speed\n" WORKLOAD_USAGE;

struct generator {
    struct client client;
    struct workload load;
    const char *prefix;
    uint64_t window;
};

static void publish_next(struct generator *self, uint64_t due) {
    size_t length = workload_next(&self->load, due);
    char topic[256];
    snprintf(topic, sizeof topic, "%s/device-%llu", self->prefix, (unsigned long long)self->load.device);
    client_publish(&self->client, topic, self->load.payload, length, 1);
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
    while (!workload_finished(&self->load)) {
        while (self->client.outstanding < self->window && !workload_finished(&self->load)) {
            publish_next(self, now_nanoseconds());
        }
        client_write(&self->client);
        wait_until(self, 0);
    }
}

static void run_at_rate(struct generator *self) {
    while (!workload_finished(&self->load)) {
        uint64_t due = workload_due(&self->load);
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
    self.prefix = option_text(&options, "--prefix", "telemetry");
    self.window = option_number(&options, "--window", 200);
    workload_options(&self.load, &options);
    options_finish(&options);
    if (self.window == 0) fail("--window", "must be at least 1");

    catch_signals();
    client_open(&self.client, broker, id, true, (int)(self.window < 65535 ? self.window : 65535), 4);
    workload_begin(&self.load);
    if (self.load.rate) run_at_rate(&self);
    else run_at_full_speed(&self);
    while (self.client.outstanding > 0 && !stop_requested) {
        client_write(&self.client);
        wait_until(&self, 0);
    }
    workload_print(&self.load, self.client.confirmed);
    client_close(&self.client);
    return self.client.outstanding == 0 ? 0 : 1;
}
