// AMQP 1.0 with qpid-proton: a `pn_connection_driver_t` for each source and each target with our own socket. Messages
// are decoded and encoded with `pn_message_t`, as every bridge does that changes an address; a text body stays a text.
#define _GNU_SOURCE
#include "transport.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <proton/connection_driver.h>
#include <proton/engine.h>
#include <proton/message.h>
#include <proton/sasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { read_size = 65536, idle_ms = 30000 };

const char *const transport_usage =
    "  --host 127.0.0.1 --port 5672\n"
    "  An ADDRESS is that of a link, such as /amq/queue/NAME. Messages are durable and settled by the receiver.\n"
    "  declare is the AMQP 0.9.1 program's work.\n";

static const char *host;
static int port;

void transport_options(struct options *options) {
    host = option_text(options, "--host", "127.0.0.1");
    port = (int)option_number(options, "--port", 5672);
}

void transport_declare(const char *address) {
    fail(address, "AMQP 1.0 has no declarations: use the program of AMQP 0.9.1");
}

// MARK: one connection with one link

struct connection {
    pn_connection_driver_t driver;
    int descriptor;
    bool is_open;                                   // the peer has opened the link
    pn_message_t *message;
    void (*on_delivery)(struct connection *, pn_delivery_t *);
    uint64_t ticked;
};

static void fail_with(const char *what, pn_condition_t *condition) {
    char text[500];
    const char *name = condition ? pn_condition_get_name(condition) : NULL;
    const char *said = condition ? pn_condition_get_description(condition) : NULL;
    snprintf(text, sizeof text, "%s %s", name ? name : "closed by the broker", said ? said : "");
    fail(what, text);
}

static void handle_events(struct connection *self) {
    pn_event_t *event;
    while ((event = pn_connection_driver_next_event(&self->driver))) {
        switch (pn_event_type(event)) {
        case PN_LINK_REMOTE_OPEN:
            self->is_open = true;
            break;
        case PN_DELIVERY:
            self->on_delivery(self, pn_event_delivery(event));
            break;
        case PN_TRANSPORT_ERROR:
            fail_with("transport", pn_transport_condition(self->driver.transport));
            break;
        case PN_CONNECTION_REMOTE_CLOSE:
            fail_with("connection", pn_connection_remote_condition(self->driver.connection));
            break;
        case PN_SESSION_REMOTE_CLOSE:
            fail_with("session", pn_session_remote_condition(pn_event_session(event)));
            break;
        case PN_LINK_REMOTE_CLOSE:
        case PN_LINK_REMOTE_DETACH:
            fail_with("link", pn_link_remote_condition(pn_event_link(event)));
            break;
        default:
            break;
        }
    }
}

// Sends what the library has to say; what the socket does not take stays.
static void write_out(struct connection *self) {
    uint64_t now = now_nanoseconds();
    if (now - self->ticked > 1000000000u) {
        self->ticked = now;
        pn_transport_tick(self->driver.transport, (int64_t)(now / 1000000u));
    }
    for (;;) {
        pn_bytes_t bytes = pn_connection_driver_write_buffer(&self->driver);
        if (bytes.size == 0) return;
        ssize_t sent = send(self->descriptor, bytes.start, bytes.size, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (sent < 0) fail("send", strerror(errno));
        pn_connection_driver_write_done(&self->driver, (size_t)sent);
    }
}

// Reads what is there, once. False when the socket is dry.
static bool read_in(struct connection *self) {
    pn_rwbytes_t room = pn_connection_driver_read_buffer_sized(&self->driver, read_size);
    if (room.size == 0) return false;
    ssize_t got = recv(self->descriptor, room.start, room.size, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (got <= 0) fail("the connection to the broker was lost", got < 0 ? strerror(errno) : "closed");
    pn_connection_driver_read_done(&self->driver, (size_t)got);
    return (size_t)got == room.size;
}

// One look at the socket, everything that comes of it, and the answers.
static bool turn(struct connection *self) {
    bool has_more = read_in(self);
    handle_events(self);
    write_out(self);
    handle_events(self);
    return has_more;
}

static struct pollfd entry_of(struct connection *self) {
    bool is_writing = pn_connection_driver_write_buffer(&self->driver).size > 0;
    return (struct pollfd){.fd = self->descriptor, .events = (short)(POLLIN | (is_writing ? POLLOUT : 0))};
}

static pn_link_t *dial(struct connection *self, const char *address, bool is_source) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1) fail(host, "is no IPv4 address");
    self->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(self->descriptor, (struct sockaddr *)&to, sizeof to) != 0) fail(host, strerror(errno));
    int one = 1;
    setsockopt(self->descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(self->descriptor, F_SETFL, O_NONBLOCK);

    self->message = pn_message();
    pn_connection_driver_init(&self->driver, NULL, NULL);
    pn_connection_t *connection = self->driver.connection;
    char container[64];
    snprintf(container, sizeof container, "bench-%d-%s", getpid(), is_source ? "source" : "target");
    pn_connection_set_container(connection, container);
    pn_connection_set_user(connection, "guest");
    pn_connection_set_password(connection, "guest");
    pn_transport_set_idle_timeout(self->driver.transport, idle_ms);
    pn_transport_set_max_frame(self->driver.transport, read_size);
    // More than one name and the library may choose another one than PLAIN.
    pn_sasl_allowed_mechs(pn_sasl(self->driver.transport), "PLAIN");
    pn_sasl_set_allow_insecure_mechs(pn_sasl(self->driver.transport), true);
    pn_connection_open(connection);
    pn_session_t *session = pn_session(connection);
    pn_session_open(session);
    pn_link_t *link = is_source ? pn_receiver(session, "source") : pn_sender(session, "target");
    pn_terminus_set_address(is_source ? pn_link_source(link) : pn_link_target(link), address);
    pn_link_open(link);
    return link;
}

static void wait_until_open(struct connection *self, pn_link_t *link, bool needs_credit) {
    uint64_t deadline = now_nanoseconds() + 10000000000u;
    while (!self->is_open || (needs_credit && pn_link_credit(link) == 0)) {
        if (stop_requested || now_nanoseconds() > deadline) fail("attach", "no answer from the broker within 10 s");
        turn(self);
        struct pollfd entry = entry_of(self);
        poll(&entry, 1, 100);
    }
}

static void hang_up(struct connection *self) {
    pn_connection_close(self->driver.connection);
    handle_events(self);
    write_out(self);
    close(self->descriptor);
    pn_connection_driver_destroy(&self->driver);
    pn_message_free(self->message);
}

// MARK: source

struct source {
    struct connection connection;   // first: events come with it
    pn_link_t *link;
    take_message take;
    void *context;
    pn_delivery_t **deliveries;     // unsettled, by number
    uint64_t capacity, taken, settled;
    bool has_more;
    char *bytes;
    size_t room;
};

static void receive(struct connection *connection, pn_delivery_t *delivery) {
    struct source *self = (struct source *)connection;
    if (!pn_delivery_readable(delivery) || pn_delivery_partial(delivery)) return;
    size_t length = pn_delivery_pending(delivery);
    if (length > self->room) {
        self->room = length * 2;
        self->bytes = realloc(self->bytes, self->room);
    }
    if (pn_link_recv(self->link, self->bytes, length) != (ssize_t)length || length == 0) fail("receive", "no message");
    pn_link_advance(self->link);
    self->deliveries[self->taken++ & (self->capacity - 1)] = delivery;

    pn_message_t *message = connection->message;
    pn_message_clear(message);
    if (pn_message_decode(message, self->bytes, length) != 0) fail("decode", pn_error_text(pn_message_error(message)));
    pn_data_t *body = pn_message_body(message);
    pn_data_rewind(body);
    pn_bytes_t content = {0};
    if (pn_data_next(body)) {
        content = pn_data_type(body) == PN_STRING ? pn_data_get_string(body) : pn_data_get_binary(body);
    }
    self->take(self->context, &(struct message){.payload = content.start, .length = content.size});
}

struct source *source_open(const char *address, uint64_t window, bool is_group, take_message take, void *context) {
    (void)is_group;  // a queue always keeps its place
    struct source *self = calloc(1, sizeof *self);
    self->take = take;
    self->context = context;
    self->capacity = window_capacity(window);
    self->deliveries = calloc(self->capacity, sizeof *self->deliveries);
    self->connection.on_delivery = receive;
    self->link = dial(&self->connection, address, true);
    wait_until_open(&self->connection, self->link, false);
    pn_link_flow(self->link, (int)window);
    self->has_more = true;
    return self;
}

struct pollfd source_entry(struct source *self) {
    return entry_of(&self->connection);
}

bool source_has_more(struct source *self) {
    return self->has_more;
}

void source_read(struct source *self, uint64_t limit) {
    (void)limit;  // credit bounds it
    self->has_more = turn(&self->connection);
}

void source_settle(struct source *self, uint64_t count) {
    int done = (int)(count - self->settled);
    while (self->settled < count) {
        pn_delivery_t *delivery = self->deliveries[self->settled++ & (self->capacity - 1)];
        pn_delivery_update(delivery, PN_ACCEPTED);
        pn_delivery_settle(delivery);
    }
    pn_link_flow(self->link, done);
    handle_events(&self->connection);
    write_out(&self->connection);
}

void source_close(struct source *self) {
    hang_up(&self->connection);
    free(self->deliveries);
    free(self->bytes);
    free(self);
}

// MARK: target

struct target {
    struct connection connection;   // first: events come with it
    pn_link_t *link;
    struct window window;
    char encoded[131072];
};

static void confirm(struct connection *connection, pn_delivery_t *delivery) {
    struct target *self = (struct target *)connection;
    if (!pn_delivery_updated(delivery)) return;
    if (pn_delivery_remote_state(delivery) != PN_ACCEPTED) fail("send", "the broker did not accept a message");
    window_confirm(&self->window, (uint64_t)(uintptr_t)pn_delivery_get_context(delivery));
    pn_delivery_settle(delivery);
}

struct target *target_open(const char *address, uint64_t window) {
    struct target *self = calloc(1, sizeof *self);
    window_begin(&self->window, window);
    self->connection.on_delivery = confirm;
    self->link = dial(&self->connection, address, false);
    wait_until_open(&self->connection, self->link, true);
    return self;
}

struct pollfd target_entry(struct target *self) {
    return entry_of(&self->connection);
}

bool target_has_more(struct target *self) {
    (void)self;  // target_work reads until the socket is dry
    return false;
}

void target_send(struct target *self, const struct message *message) {
    pn_message_t *out = self->connection.message;
    pn_message_clear(out);
    pn_message_set_durable(out, true);
    pn_message_set_content_type(out, "application/vnd.eclipse.ditto+json");
    pn_data_put_string(pn_message_body(out), pn_bytes(message->length, message->payload));
    size_t length = sizeof self->encoded;
    if (pn_message_encode(out, self->encoded, &length) != 0) fail("encode", pn_error_text(pn_message_error(out)));

    uint64_t number = ++self->window.sent;
    pn_delivery_t *delivery = pn_delivery(self->link, pn_dtag((const char *)&number, sizeof number));
    pn_delivery_set_context(delivery, (void *)(uintptr_t)number);
    if (pn_link_send(self->link, self->encoded, length) != (ssize_t)length) fail("send", "not taken by the library");
    pn_link_advance(self->link);
}

uint64_t target_work(struct target *self) {
    handle_events(&self->connection);
    write_out(&self->connection);
    while (turn(&self->connection)) {}
    return self->window.confirmed;
}

void target_close(struct target *self) {
    hang_up(&self->connection);
    free(self->window.done);
    free(self);
}
