// The baseline of `make bench`: passes each message of a topic filter on to `out/<topic>`, both with QoS 1, and does
// nothing else. With --durable it commits one SQLite row per message before it publishes.
//
// A consumer and a publisher handle, one thread. A PUBACK to the source leaves after the copy was sent.
#include "client.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: passthrough --port PORT [--host 127.0.0.1] [--filter telemetry/#] [--id passthrough] [--clean]\n"
    "                   [--durable FILE] [--batch 400] [--window 200] [--version 4]\n"
    "Publishes each message of the filter on out/<topic>. Ends on SIGTERM and prints one JSON line:\n"
    "messages passed on and CPU seconds used. Prints 'ready' when it is subscribed.\n"
    "  --clean         clean session (default: a session that survives, as a bridge needs)\n"
    "  --durable FILE  one SQLite row and one transaction per message (WAL, synchronous=FULL) before it is published\n"
    "  --version V     4 is MQTT 3.1.1, 5 is MQTT 5\n";

// Beyond this the source is not read: libmosquitto walks its list of unconfirmed messages, so a long one is slow.
enum { outstanding_limit = 500 };

struct passthrough {
    struct client consumer, publisher;
    sqlite3 *database;
    sqlite3_stmt *insert;
    uint64_t messages;
};

static void check(int code, sqlite3 *database, const char *what) {
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW) fail(what, sqlite3_errmsg(database));
}

static void open_database(struct passthrough *self, const char *path) {
    check(sqlite3_open(path, &self->database), self->database, path);
    char *message = NULL;
    const char *schema = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                         "CREATE TABLE IF NOT EXISTS message"
                         " (sequence INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL);";
    if (sqlite3_exec(self->database, schema, NULL, NULL, &message) != SQLITE_OK) fail(path, message);
    const char *insert = "INSERT INTO message (topic, payload) VALUES (?, ?)";
    check(sqlite3_prepare_v3(self->database, insert, -1, SQLITE_PREPARE_PERSISTENT, &self->insert, NULL),
          self->database, "prepare");
}

static void store(struct passthrough *self, const struct mosquitto_message *message) {
    // Outside of BEGIN every statement is a transaction of its own, synced before step returns.
    sqlite3_bind_text(self->insert, 1, message->topic, -1, SQLITE_STATIC);
    sqlite3_bind_blob(self->insert, 2, message->payload, message->payloadlen, SQLITE_STATIC);
    check(sqlite3_step(self->insert), self->database, "insert");
    sqlite3_reset(self->insert);
}

static void pass_on(struct client *client, const struct mosquitto_message *message) {
    struct passthrough *self = client->context;
    if (self->insert) store(self, message);
    char topic[1024] = "out/";
    size_t length = strlen(message->topic);
    if (length > sizeof topic - 5) fail(message->topic, "topic too long");
    memcpy(topic + 4, message->topic, length + 1);
    client_publish(&self->publisher, topic, message->payload, (size_t)message->payloadlen, 1);
    self->messages++;
}

static void run(struct passthrough *self, int batch) {
    while (!stop_requested) {
        bool reading = self->publisher.outstanding < outstanding_limit;
        struct pollfd entries[2] = {
            client_poll_entry(&self->consumer, reading), client_poll_entry(&self->publisher, true)};
        poll(entries, 2, 1000);
        if (entries[1].revents & (POLLIN | POLLERR | POLLHUP)) client_read(&self->publisher, batch);
        if (entries[0].revents & (POLLIN | POLLERR | POLLHUP)) client_read(&self->consumer, batch);
        client_write(&self->publisher);
        client_write(&self->consumer);
        client_tick(&self->publisher);
        client_tick(&self->consumer);
    }
}

int main(int argc, char **argv) {
    struct options options = options_begin(argc, argv, usage);
    struct address broker = {
        option_text(&options, "--host", "127.0.0.1"), (int)option_number(&options, "--port", 1883)};
    const char *filter = option_text(&options, "--filter", "telemetry/#");
    const char *id = option_text(&options, "--id", "passthrough");
    const char *durable = option_text(&options, "--durable", NULL);
    int batch = (int)option_number(&options, "--batch", 400);
    int window = (int)option_number(&options, "--window", 200);
    int version = (int)option_number(&options, "--version", 4);
    bool clean = option_flag(&options, "--clean");
    options_finish(&options);

    struct passthrough self = {0};
    self.consumer.context = &self;
    self.consumer.on_message = pass_on;
    if (durable) open_database(&self, durable);
    catch_signals();

    char name[256];
    snprintf(name, sizeof name, "%s-out", id);
    client_open(&self.publisher, broker, name, true, window, version);
    snprintf(name, sizeof name, "%s-in", id);
    client_open(&self.consumer, broker, name, clean, window, version);
    client_subscribe(&self.consumer, filter, 1);
    puts("ready");
    fflush(stdout);

    run(&self, batch);

    printf("{\"messages\":%llu,\"cpuSeconds\":%.6f}\n", (unsigned long long)self.messages, cpu_seconds());
    client_close(&self.consumer);
    client_close(&self.publisher);
    sqlite3_finalize(self.insert);
    sqlite3_close(self.database);
    return 0;
}
