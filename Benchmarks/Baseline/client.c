#include "client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>

volatile bool client_stop = false;

static void handle_signal(int number) {
    (void)number;
    client_stop = true;
}

void client_catch_signals(void) {
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

// MARK: callbacks, all on the owning thread, inside client_read or client_write

static void on_connect(struct mosquitto *handle, void *object, int code) {
    (void)handle;
    if (code != 0) fail("the broker refused the connection", mosquitto_connack_string(code));
    ((struct client *)object)->connected = true;
}

static void on_subscribe(struct mosquitto *handle, void *object, int mid, int count, const int *granted) {
    (void)handle;
    (void)mid;
    if (count < 1 || granted[0] > 2) fail("the broker refused the subscription", "SUBACK says failure");
    ((struct client *)object)->subscribed = true;
}

static void on_message(struct mosquitto *handle, void *object, const struct mosquitto_message *message) {
    (void)handle;
    struct client *client = object;
    if (client->on_message) client->on_message(client, message);
}

static void on_publish(struct mosquitto *handle, void *object, int mid) {
    (void)handle;
    (void)mid;
    struct client *client = object;
    client->confirmed++;
    if (client->outstanding > 0) client->outstanding--;
}

// MARK: connection

static void wait_for(struct client *client, const bool *condition, const char *what) {
    uint64_t deadline = now_nanoseconds() + 10000000000u;
    while (!*condition) {
        if (now_nanoseconds() > deadline) fail(what, "no answer from the broker within 10 s");
        if (client_stop) exit(1);
        struct pollfd entry = client_poll_entry(client, true);
        poll(&entry, 1, 100);
        client_read(client, 100);
        client_write(client);
    }
}

void client_open(struct client *client, struct address to, const char *id, bool clean, int window) {
    static bool initialised = false;
    if (!initialised) mosquitto_lib_init();
    initialised = true;

    client->handle = mosquitto_new(id, clean, client);
    if (!client->handle) fail("mosquitto_new", strerror(errno));
    mosquitto_threaded_set(client->handle, true);
    mosquitto_int_option(client->handle, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_int_option(client->handle, MOSQ_OPT_SEND_MAXIMUM, window);
    mosquitto_connect_callback_set(client->handle, on_connect);
    mosquitto_subscribe_callback_set(client->handle, on_subscribe);
    mosquitto_message_callback_set(client->handle, on_message);
    mosquitto_publish_callback_set(client->handle, on_publish);

    int code = mosquitto_connect(client->handle, to.host, to.port, 60);
    if (code != MOSQ_ERR_SUCCESS) fail("connect", code == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(code));
    wait_for(client, &client->connected, "connect");
}

void client_subscribe(struct client *client, const char *filter, int qos) {
    client->subscribed = false;
    int code = mosquitto_subscribe(client->handle, NULL, filter, qos);
    if (code != MOSQ_ERR_SUCCESS) fail("subscribe", mosquitto_strerror(code));
    wait_for(client, &client->subscribed, "subscribe");
}

void client_close(struct client *client) {
    mosquitto_disconnect(client->handle);
    uint64_t deadline = now_nanoseconds() + 1000000000u;
    while (mosquitto_socket(client->handle) >= 0 && mosquitto_want_write(client->handle)
           && now_nanoseconds() < deadline) {
        mosquitto_loop_write(client->handle, 1);
    }
    mosquitto_destroy(client->handle);
    client->handle = NULL;
}

// MARK: one turn

void client_publish(struct client *client, const char *topic, const void *payload, size_t length, int qos) {
    int code = mosquitto_publish(client->handle, NULL, topic, (int)length, payload, qos, false);
    if (code != MOSQ_ERR_SUCCESS) fail("publish", mosquitto_strerror(code));
    if (qos > 0) client->outstanding++;
}

int client_read(struct client *client, int limit) {
    int descriptor = mosquitto_socket(client->handle);
    int reads = 0;
    while (reads < limit) {
        int waiting = 0;
        // errno after loop_read does not tell whether the socket is dry, so the kernel is asked.
        if (ioctl(descriptor, FIONREAD, &waiting) != 0) fail("read", strerror(errno));
        if (waiting == 0) {
            struct pollfd entry = {.fd = descriptor, .events = POLLIN};
            // Readable and empty means that the peer closed the connection.
            if (reads > 0 || poll(&entry, 1, 0) != 1 || !(entry.revents & (POLLIN | POLLHUP | POLLERR))) break;
        }
        int code = mosquitto_loop_read(client->handle, 1);
        if (code != MOSQ_ERR_SUCCESS) fail("the connection to the broker was lost", mosquitto_strerror(code));
        reads++;
    }
    return reads;
}

void client_write(struct client *client) {
    if (!mosquitto_want_write(client->handle)) return;
    int code = mosquitto_loop_write(client->handle, 1);
    if (code != MOSQ_ERR_SUCCESS) fail("the connection to the broker was lost", mosquitto_strerror(code));
}

struct pollfd client_poll_entry(struct client *client, bool reading) {
    short events = reading ? POLLIN : 0;
    if (mosquitto_want_write(client->handle)) events |= POLLOUT;
    return (struct pollfd){.fd = mosquitto_socket(client->handle), .events = events};
}

void client_tick(struct client *client) {
    uint64_t now = now_nanoseconds();
    if (now - client->ticked < 1000000000u) return;
    client->ticked = now;
    mosquitto_loop_misc(client->handle);
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
