// AMQP 0.9.1 with librabbitmq, driven by frames: `amqp_simple_wait_frame_noblock` until the socket is dry, one
// `basic.ack multiple` for all that is done. A connection for each source and each target, one channel each.
#include "transport.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum { channel = 1, frame_max = 131072, heartbeat = 30 };

const char *const transport_usage =
    "  --host 127.0.0.1 --port 5672\n"
    "  A source's ADDRESS is a queue; a target's is exchange/routing key (no exchange: the queue of that name;\n"
    "  no key: that of the device). declare takes a queue, or exchange>queue: an exchange of the kind fanout and\n"
    "  its queue; what lies in the queue is dropped. Everything is durable, every message persistent.\n";

static const char *host;
static int port;

void transport_options(struct options *options) {
    host = option_text(options, "--host", "127.0.0.1");
    port = (int)option_number(options, "--port", 5672);
}

static const char *text_of(amqp_rpc_reply_t reply) {
    static char text[300];
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) return amqp_error_string2(reply.library_error);
    amqp_bytes_t said = amqp_cstring_bytes("the server refused");
    if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) said = ((amqp_channel_close_t *)reply.reply.decoded)->reply_text;
    if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
        said = ((amqp_connection_close_t *)reply.reply.decoded)->reply_text;
    }
    size_t length = said.len < sizeof text - 1 ? said.len : sizeof text - 1;
    memcpy(text, said.bytes, length);
    text[length] = 0;
    return text;
}

static void check(amqp_connection_state_t link, const char *what) {
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(link);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail(what, text_of(reply));
}

static amqp_connection_state_t dial(void) {
    amqp_connection_state_t link = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(link);
    struct timeval limit = {.tv_sec = 10};
    amqp_set_rpc_timeout(link, &limit);
    if (!socket || amqp_socket_open_noblock(socket, host, port, &limit) != 0) fail(host, "cannot be connected to");
    amqp_rpc_reply_t reply = amqp_login(
        link, "/", 0, frame_max, heartbeat, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail("login", text_of(reply));
    amqp_channel_open(link, channel);
    check(link, "open a channel");
    return link;
}

static void hang_up(amqp_connection_state_t link) {
    amqp_connection_close(link, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(link);
}

// Something lies in the library's buffers, where `poll` does not see it.
static bool has_buffered(amqp_connection_state_t link) {
    return amqp_frames_enqueued(link) || amqp_data_in_buffer(link);
}

// The next frame, if one is there. Also sends a heartbeat when it is due.
static bool next_frame(amqp_connection_state_t link, amqp_frame_t *frame) {
    struct timeval none = {0};
    int code = amqp_simple_wait_frame_noblock(link, frame, &none);
    if (code == AMQP_STATUS_TIMEOUT) return false;
    if (code != AMQP_STATUS_OK) fail("the connection to the broker was lost", amqp_error_string2(code));
    return true;
}

// MARK: source

struct source {
    amqp_connection_state_t link;
    take_message take;
    void *context;
    uint64_t tag;           // of the message that is being read
    amqp_bytes_t key;
    uint64_t body_size, body_read;
    char *body;             // only for messages of several frames
    bool is_dry;
};

struct source *source_open(const char *address, uint64_t window, bool is_group, take_message take, void *context) {
    (void)is_group;  // a queue always keeps its place
    struct source *self = calloc(1, sizeof *self);
    self->link = dial();
    self->take = take;
    self->context = context;
    amqp_basic_qos(self->link, channel, 0, (uint16_t)(window < 65535 ? window : 65535), 0);
    check(self->link, "prefetch");
    amqp_basic_consume(self->link, channel, amqp_cstring_bytes(address), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
    check(self->link, address);
    return self;
}

struct pollfd source_entry(struct source *self) {
    return (struct pollfd){.fd = amqp_get_sockfd(self->link), .events = POLLIN};
}

bool source_has_more(struct source *self) {
    return !self->is_dry || has_buffered(self->link);
}

static void finish_message(struct source *self, const void *payload) {
    self->take(self->context, &(struct message){self->key.bytes, self->key.len, payload, self->body_size});
    free(self->body);
    self->body = NULL;
    // All pointers into the frames of the message end here.
    amqp_maybe_release_buffers_on_channel(self->link, channel);
}

static void read_method(struct source *self, const amqp_method_t *method) {
    if (method->id != AMQP_BASIC_DELIVER_METHOD) fail("source", amqp_method_name(method->id));
    amqp_basic_deliver_t *deliver = method->decoded;
    self->tag = deliver->delivery_tag;
    self->key = deliver->routing_key;
}

// True when a message was completed.
static bool read_frame(struct source *self, const amqp_frame_t *frame) {
    switch (frame->frame_type) {
    case AMQP_FRAME_METHOD:
        read_method(self, &frame->payload.method);
        return false;
    case AMQP_FRAME_HEADER:
        self->body_size = frame->payload.properties.body_size;
        self->body_read = 0;
        if (self->body_size == 0) finish_message(self, "");
        return self->body_size == 0;
    case AMQP_FRAME_BODY: {
        amqp_bytes_t part = frame->payload.body_fragment;
        bool is_whole = part.len == self->body_size;
        if (!is_whole) {
            if (!self->body) self->body = malloc(self->body_size);
            memcpy(self->body + self->body_read, part.bytes, part.len);
        }
        self->body_read += part.len;
        if (self->body_read < self->body_size) return false;
        finish_message(self, is_whole ? part.bytes : self->body);
        return true;
    }
    default:
        return false;  // a heartbeat
    }
}

void source_read(struct source *self, uint64_t limit) {
    amqp_frame_t frame;
    self->is_dry = false;
    for (uint64_t messages = 0; messages < limit;) {
        if (!next_frame(self->link, &frame)) {
            self->is_dry = true;
            return;
        }
        if (read_frame(self, &frame)) messages++;
    }
}

void source_settle(struct source *self, uint64_t count) {
    // Delivery tags count the deliveries of the channel, so the count is the tag.
    int code = amqp_basic_ack(self->link, channel, count, 1);
    if (code != AMQP_STATUS_OK) fail("ack", amqp_error_string2(code));
}

void source_close(struct source *self) {
    hang_up(self->link);
    free(self->body);
    free(self);
}

// MARK: target

struct target {
    amqp_connection_state_t link;
    char exchange[256];
    const char *key;        // empty: that of the message
    struct window window;
};

struct target *target_open(const char *address, uint64_t window) {
    struct target *self = calloc(1, sizeof *self);
    const char *slash = strchr(address, '/');
    size_t length = slash ? (size_t)(slash - address) : 0;
    if (!slash || length >= sizeof self->exchange) fail(address, "is not exchange/key");
    memcpy(self->exchange, address, length);
    self->key = slash + 1;
    window_begin(&self->window, window);
    self->link = dial();
    amqp_confirm_select(self->link, channel);
    check(self->link, "publisher confirms");
    return self;
}

struct pollfd target_entry(struct target *self) {
    return (struct pollfd){.fd = amqp_get_sockfd(self->link), .events = POLLIN};
}

bool target_has_more(struct target *self) {
    return has_buffered(self->link);
}

void target_send(struct target *self, const struct message *message) {
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG,
        .content_type = amqp_cstring_bytes("application/vnd.eclipse.ditto+json"),
        .delivery_mode = AMQP_DELIVERY_PERSISTENT};
    amqp_bytes_t key = *self->key ? amqp_cstring_bytes(self->key)
                                  : (amqp_bytes_t){message->key_length, (void *)(uintptr_t)message->key};
    amqp_bytes_t body = {message->length, (void *)(uintptr_t)message->payload};
    int code = amqp_basic_publish(
        self->link, channel, amqp_cstring_bytes(self->exchange), key, 0, 0, &properties, body);
    if (code != AMQP_STATUS_OK) fail("publish", amqp_error_string2(code));
    self->window.sent++;
}

uint64_t target_work(struct target *self) {
    amqp_frame_t frame;
    while (next_frame(self->link, &frame)) {
        if (frame.frame_type != AMQP_FRAME_METHOD) continue;
        if (frame.payload.method.id != AMQP_BASIC_ACK_METHOD) {
            fail("publish", amqp_method_name(frame.payload.method.id));
        }
        amqp_basic_ack_t *ack = frame.payload.method.decoded;
        uint64_t first = ack->multiple ? self->window.confirmed + 1 : ack->delivery_tag;
        for (uint64_t number = first; number <= ack->delivery_tag; number++) window_confirm(&self->window, number);
        amqp_maybe_release_buffers_on_channel(self->link, channel);
    }
    return self->window.confirmed;
}

void target_close(struct target *self) {
    hang_up(self->link);
    free(self->window.done);
    free(self);
}

// MARK: declare

void transport_declare(const char *address) {
    static amqp_connection_state_t link;
    if (!link) link = dial();
    const char *arrow = strchr(address, '>');
    const char *queue = arrow ? arrow + 1 : address;
    amqp_queue_declare(link, channel, amqp_cstring_bytes(queue), 0, 1, 0, 0, amqp_empty_table);
    check(link, queue);
    // What a former run left there would be taken for this one's.
    amqp_queue_purge(link, channel, amqp_cstring_bytes(queue));
    check(link, queue);
    if (!arrow) return;
    amqp_bytes_t exchange = {(size_t)(arrow - address), (void *)(uintptr_t)address};
    amqp_exchange_declare(link, channel, exchange, amqp_cstring_bytes("fanout"), 0, 1, 0, 0, amqp_empty_table);
    check(link, address);
    amqp_queue_bind(link, channel, amqp_cstring_bytes(queue), exchange, amqp_empty_bytes, amqp_empty_table);
    check(link, address);
}
