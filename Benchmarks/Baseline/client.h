// One libmosquitto handle driven by our own poll loop, shared by the three benchmark programs.
//
// The loop is the fast one of the library: `mosquitto_threaded_set` so that calls only queue, reads until the socket is
// dry or the batch is full, and then one write that sends everything queued. One thread owns every handle.
#ifndef TWINSPAN_BENCH_CLIENT_H
#define TWINSPAN_BENCH_CLIENT_H

#include <mosquitto.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client {
    struct mosquitto *handle;
    void (*on_message)(struct client *, const struct mosquitto_message *);  // may be NULL
    void *context;          // for the program's use
    bool connected;         // CONNACK with code 0 has arrived
    bool subscribed;        // SUBACK for the last subscription has arrived
    uint64_t outstanding;   // QoS 1 messages published and not yet confirmed
    uint64_t confirmed;     // QoS 1 messages the broker has confirmed
    uint64_t ticked;        // when the keep-alive was last looked after
};

struct address {
    const char *host;
    int port;
};

// Set by SIGTERM and SIGINT once `client_catch_signals` was called.
extern volatile bool client_stop;
void client_catch_signals(void);

// Connects and waits for the CONNACK. `window` bounds the QoS 1 messages in flight from us. Exits on failure.
void client_open(struct client *client, struct address to, const char *id, bool clean, int window);

// Subscribes and waits for the SUBACK. Messages that arrive meanwhile go to `on_message`. Exits on failure.
void client_subscribe(struct client *client, const char *filter, int qos);

// Queues one message; it leaves with the next `client_write`.
void client_publish(struct client *client, const char *topic, const void *payload, size_t length, int qos);

// Reads until the socket is dry or `limit` packets were read. Returns the number of reads. Exits when the link is lost.
int client_read(struct client *client, int limit);

// Sends everything queued, PUBACKs included. What the socket does not take stays queued.
void client_write(struct client *client);

// The entry of this client in a `poll` set.
struct pollfd client_poll_entry(struct client *client, bool reading);

// Keep-alive. Cheap enough to be called on every turn; does its work once per second.
void client_tick(struct client *client);

// Sends what is queued, says goodbye and frees the handle.
void client_close(struct client *client);

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
