#include "client.h"

#include <errno.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

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
        if (stop_requested) exit(1);
        struct pollfd entry = client_poll_entry(client, true);
        poll(&entry, 1, 100);
        client_read(client, 100);
        client_write(client);
    }
}

void client_open(struct client *client, struct address to, const char *id, bool clean, int window, int version) {
    static bool initialised = false;
    if (!initialised) mosquitto_lib_init();
    initialised = true;

    client->handle = mosquitto_new(id, clean, client);
    if (!client->handle) fail("mosquitto_new", strerror(errno));
    mosquitto_threaded_set(client->handle, true);
    mosquitto_int_option(client->handle, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_int_option(client->handle, MOSQ_OPT_SEND_MAXIMUM, window);
    mosquitto_int_option(client->handle, MOSQ_OPT_PROTOCOL_VERSION, version);
    mosquitto_property *properties = NULL;
    if (version == 5) {
        mosquitto_int_option(client->handle, MOSQ_OPT_RECEIVE_MAXIMUM, window);
        // Without it a session of MQTT 5 ends with its connection.
        if (!clean) mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, 3600);
    }
    mosquitto_connect_callback_set(client->handle, on_connect);
    mosquitto_subscribe_callback_set(client->handle, on_subscribe);
    mosquitto_message_callback_set(client->handle, on_message);
    mosquitto_publish_callback_set(client->handle, on_publish);

    int code = mosquitto_connect_bind_v5(client->handle, to.host, to.port, 60, NULL, properties);
    mosquitto_property_free_all(&properties);
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
