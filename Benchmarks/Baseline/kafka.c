// Kafka with librdkafka: `rd_kafka_consumer_poll(0)` until nothing is left, an idempotent producer, offsets stored when
// the copies are confirmed and committed asynchronously once a second. Both handles wake our `poll` by a descriptor.
#define _GNU_SOURCE
#include "transport.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { partition_limit = 1024 };

const char *const transport_usage =
    "  --bootstrap HOST:PORT[,…]   the cluster\n"
    "  An ADDRESS is a topic; its name is also that of the relay's group. Keys are passed on, so that a device stays\n"
    "  in its partition. declare is the cluster's own work.\n";

static const char *bootstrap;

void transport_options(struct options *options) {
    bootstrap = option_text(options, "--bootstrap", "127.0.0.1:9092");
}

void transport_declare(const char *address) {
    fail(address, "topics are made at the cluster");
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char error[256];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) fail(name, error);
}

static rd_kafka_conf_t *configuration(void) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", bootstrap);
    return conf;
}

static rd_kafka_t *make(rd_kafka_type_t type, rd_kafka_conf_t *conf) {
    char error[256];
    rd_kafka_t *handle = rd_kafka_new(type, conf, error, sizeof error);
    if (!handle) fail("kafka", error);
    return handle;
}

// A descriptor that becomes readable when the queue, having been empty, is so no more.
static int descriptor_of(rd_kafka_queue_t *queue) {
    int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    uint64_t one = 1;
    rd_kafka_queue_io_event_enable(queue, descriptor, &one, sizeof one);
    return descriptor;
}

static void drain(int descriptor) {
    uint64_t count;
    if (read(descriptor, &count, sizeof count) < 0) return;  // nothing was there
}

// MARK: source

struct place {
    int32_t partition;
    int64_t offset;
};

struct source {
    rd_kafka_t *handle;
    rd_kafka_queue_t *queue;
    int descriptor;
    char *topic;
    take_message take;
    void *context;
    bool is_group, is_assigned, is_dry, is_stored;
    struct place *places;           // of unsettled messages, by number; groups only
    uint64_t capacity, taken, settled;
    uint64_t committed;             // when
};

static void rebalance(
    rd_kafka_t *handle, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t *list, void *object) {
    struct source *self = object;
    self->is_assigned = error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    rd_kafka_assign(handle, self->is_assigned ? list : NULL);
}

static void join_group(struct source *self) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, self->topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t error = rd_kafka_subscribe(self->handle, list);
    if (error) fail("subscribe", rd_kafka_err2str(error));
    rd_kafka_topic_partition_list_destroy(list);
}

// All partitions from their present ends on, which are asked for: the end that the library would find by itself may be
// behind messages that are sent after we said that we are ready.
static void assign_ends(struct source *self) {
    const struct rd_kafka_metadata *known;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(self->handle, self->topic, NULL);
    rd_kafka_resp_err_t error = rd_kafka_metadata(self->handle, 0, topic, &known, 10000);
    if (error || known->topics[0].err) fail(self->topic, rd_kafka_err2str(error ? error : known->topics[0].err));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(known->topics[0].partition_cnt);
    for (int i = 0; i < known->topics[0].partition_cnt; i++) {
        int64_t low, high;
        error = rd_kafka_query_watermark_offsets(self->handle, self->topic, i, &low, &high, 10000);
        if (error) fail(self->topic, rd_kafka_err2str(error));
        rd_kafka_topic_partition_list_add(list, self->topic, i)->offset = high;
    }
    rd_kafka_assign(self->handle, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(known);
    rd_kafka_topic_destroy(topic);
    self->is_assigned = true;
}

struct source *source_open(const char *address, uint64_t window, bool is_group, take_message take, void *context) {
    struct source *self = calloc(1, sizeof *self);
    self->take = take;
    self->context = context;
    self->is_group = is_group;
    self->topic = strdup(address);
    self->capacity = window_capacity(window);
    self->places = calloc(self->capacity, sizeof *self->places);
    char group[128];
    snprintf(group, sizeof group, "%s-%s", is_group ? "relay" : "collect", address);
    rd_kafka_conf_t *conf = configuration();
    set(conf, "group.id", group);
    set(conf, "session.timeout.ms", "6000");  // the mock cluster waits so long for members that are gone
    set(conf, "enable.auto.commit", "false");
    set(conf, "enable.auto.offset.store", "false");
    set(conf, "auto.offset.reset", "earliest");
    set(conf, "queued.max.messages.kbytes", "16384");
    set(conf, "fetch.wait.max.ms", "10");  // the mock cluster waits it out, whatever comes meanwhile
    rd_kafka_conf_set_rebalance_cb(conf, rebalance);
    rd_kafka_conf_set_opaque(conf, self);
    self->handle = make(RD_KAFKA_CONSUMER, conf);
    rd_kafka_poll_set_consumer(self->handle);
    self->queue = rd_kafka_queue_get_consumer(self->handle);
    self->descriptor = descriptor_of(self->queue);
    if (is_group) join_group(self);
    else assign_ends(self);
    uint64_t deadline = now_nanoseconds() + 30000000000u;
    while (!self->is_assigned) {
        if (stop_requested || now_nanoseconds() > deadline) fail(address, "the group gave no partitions within 30 s");
        // Short, so that the poll that brings the partitions does not wait for their first message as well.
        if (rd_kafka_consumer_poll(self->handle, 10)) fail(address, "has messages of a former run");
    }
    return self;
}

struct pollfd source_entry(struct source *self) {
    return (struct pollfd){.fd = self->descriptor, .events = POLLIN};
}

bool source_has_more(struct source *self) {
    return !self->is_dry;
}

static void commit(struct source *self) {
    if (!self->is_stored) return;
    rd_kafka_commit(self->handle, NULL, 1);
    self->is_stored = false;
}

void source_read(struct source *self, uint64_t limit) {
    // Drained before the queue is: a message that comes in between wakes us again.
    drain(self->descriptor);
    self->is_dry = false;
    for (uint64_t count = 0; count < limit; count++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(self->handle, 0);
        if (!message) {
            self->is_dry = true;
            break;
        }
        if (message->err) fail(self->topic, rd_kafka_message_errstr(message));
        if (self->is_group) {
            self->places[self->taken & (self->capacity - 1)] = (struct place){message->partition, message->offset};
        }
        self->taken++;
        self->take(self->context, &(struct message){message->key, message->key_len, message->payload, message->len});
        rd_kafka_message_destroy(message);
    }
    uint64_t now = now_nanoseconds();
    if (now - self->committed > 1000000000u) {
        commit(self);
        self->committed = now;
    }
}

void source_settle(struct source *self, uint64_t count) {
    if (!self->is_group) return;
    static int64_t next[partition_limit];  // 0: nothing to store
    int32_t last = -1;
    for (; self->settled < count; self->settled++) {
        struct place place = self->places[self->settled & (self->capacity - 1)];
        if (place.partition >= partition_limit) fail(self->topic, "has too many partitions");
        next[place.partition] = place.offset + 1;
        if (place.partition > last) last = place.partition;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(last + 1);
    for (int32_t partition = 0; partition <= last; partition++) {
        if (next[partition] == 0) continue;
        rd_kafka_topic_partition_list_add(list, self->topic, partition)->offset = next[partition];
        next[partition] = 0;
    }
    rd_kafka_resp_err_t error = rd_kafka_offsets_store(self->handle, list);
    if (error) fail("store offsets", rd_kafka_err2str(error));
    self->is_stored = true;
    rd_kafka_topic_partition_list_destroy(list);
}

void source_close(struct source *self) {
    if (self->is_stored) rd_kafka_commit(self->handle, NULL, 0);
    rd_kafka_queue_destroy(self->queue);
    rd_kafka_consumer_close(self->handle);
    rd_kafka_destroy(self->handle);
    close(self->descriptor);
    free(self->places);
    free(self->topic);
    free(self);
}

// MARK: target

struct target {
    rd_kafka_t *handle;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    int descriptor;
    struct window window;
};

static void delivered(rd_kafka_t *handle, const rd_kafka_message_t *message, void *object) {
    (void)handle;
    struct target *self = object;
    if (message->err) fail("send", rd_kafka_err2str(message->err));
    window_confirm(&self->window, (uint64_t)(uintptr_t)message->_private);
}

struct target *target_open(const char *address, uint64_t window) {
    struct target *self = calloc(1, sizeof *self);
    window_begin(&self->window, window);
    rd_kafka_conf_t *conf = configuration();
    set(conf, "enable.idempotence", "true");
    set(conf, "linger.ms", "5");
    set(conf, "queue.buffering.max.kbytes", "65536");
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_conf_set_opaque(conf, self);
    self->handle = make(RD_KAFKA_PRODUCER, conf);
    self->topic = rd_kafka_topic_new(self->handle, address, NULL);
    self->queue = rd_kafka_queue_get_main(self->handle);
    self->descriptor = descriptor_of(self->queue);
    return self;
}

struct pollfd target_entry(struct target *self) {
    return (struct pollfd){.fd = self->descriptor, .events = POLLIN};
}

bool target_has_more(struct target *self) {
    (void)self;  // target_work polls until nothing is left
    return false;
}

void target_send(struct target *self, const struct message *message) {
    uint64_t number = ++self->window.sent;
    int code = rd_kafka_produce(
        self->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)message->payload, message->length,
        message->key, message->key_length, (void *)(uintptr_t)number);
    if (code != 0) fail("produce", rd_kafka_err2str(rd_kafka_last_error()));
}

uint64_t target_work(struct target *self) {
    drain(self->descriptor);
    while (rd_kafka_poll(self->handle, 0) > 0) {}
    return self->window.confirmed;
}

void target_close(struct target *self) {
    rd_kafka_flush(self->handle, 5000);
    rd_kafka_queue_destroy(self->queue);
    rd_kafka_topic_destroy(self->topic);
    rd_kafka_destroy(self->handle);
    close(self->descriptor);
    free(self->window.done);
    free(self);
}
