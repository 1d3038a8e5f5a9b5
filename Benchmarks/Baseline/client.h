// One libmosquitto handle driven by our own poll loop, shared by the benchmark programs that speak MQTT.
//
// The loop is the fast one of the library: `mosquitto_threaded_set` so that calls only queue, reads until the socket is
// dry or the batch is full, and then one write that sends everything queued. One thread owns every handle.
#ifndef TWINSPAN_BENCH_CLIENT_H
#define TWINSPAN_BENCH_CLIENT_H

#include "program.h"

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

// Connects and waits for the CONNACK. `window` bounds the QoS 1 messages in flight from us and, with MQTT 5,
// those to us. `version` is 4 (MQTT 3.1.1) or 5. Exits on failure.
void client_open(struct client *client, struct address to, const char *id, bool clean, int window, int version);

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

#endif
