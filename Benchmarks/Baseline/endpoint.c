// The far end of `make bench` over HTTP: a server that answers every request with 204 and counts what the bodies hold.
// One thread, level-triggered epoll, keep-alive and pipelining, bodies with a Content-Length or in chunks.
#define _GNU_SOURCE
#include "workload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { room = 131072, events_per_turn = 256 };

static const char usage[] =
    "usage: endpoint --port PORT [--idle 3000] …\n"
    "Listens on 127.0.0.1 until SIGTERM and answers every request. A line with a number on stdin begins a measurement\n"
    "of so many messages: it prints 'ready', and when it is done one JSON line.\n" ARRIVALS_USAGE;

struct connection {
    int descriptor;
    size_t length;
    char bytes[room + 1];  // zero-terminated behind `length`
};

static struct arrivals arrivals;
static bool is_measuring;

static int listen_on(uint16_t port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 128) != 0) {
        fail("listen", strerror(errno));
    }
    return listener;
}

// Joins the chunks at `body` in place. Returns the bytes consumed, 0 when the end has not come; `*length` is
// the body's.
static size_t join_chunks(char *body, size_t available, size_t *length) {
    size_t at = 0;
    *length = 0;
    for (;;) {
        char *line_end = memmem(body + at, available - at, "\r\n", 2);
        if (!line_end) return 0;
        size_t size = strtoul(body + at, NULL, 16);
        size_t begin = (size_t)(line_end - body) + 2;
        if (size > available || available - begin < size + 2) return 0;
        if (size == 0) return begin + 2;
        memmove(body + *length, body + begin, size);
        *length += size;
        at = begin + size + 2;
    }
}

// Handles the first request of `at`. Returns its length, 0 when it is not complete.
static size_t take_request(char *at, size_t available) {
    char *head_end = memmem(at, available, "\r\n\r\n", 4);
    if (!head_end) return 0;
    *head_end = 0;
    char *body = head_end + 4;
    size_t head = (size_t)(body - at), length = 0, consumed = 0;
    const char *given = strcasestr(at, "\r\ncontent-length:");
    bool is_chunked = strcasestr(at, "\r\ntransfer-encoding: chunked") != NULL;
    if (given) length = consumed = strtoul(given + 17, NULL, 10);
    *head_end = '\r';
    if (is_chunked) {
        // A chunk's frame must be whole before anything is moved.
        if (!memmem(body, available - head, "0\r\n\r\n", 5)) return 0;
        consumed = join_chunks(body, available - head, &length);
        if (consumed == 0) return 0;
    }
    if (available - head < consumed) return 0;
    if (is_measuring) arrivals_take(&arrivals, body, length);
    return head + consumed;
}

// False when the connection is at its end.
static bool serve(struct connection *connection) {
    static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
    ssize_t got = recv(connection->descriptor, connection->bytes + connection->length, room - connection->length, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (got <= 0) return false;
    connection->length += (size_t)got;
    connection->bytes[connection->length] = 0;
    size_t done = 0, taken;
    while ((taken = take_request(connection->bytes + done, connection->length - done)) > 0) {
        done += taken;
        // Some bytes into an empty socket buffer; a peer that pipelines thousands of requests is not ours.
        if (send(connection->descriptor, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0) return false;
    }
    connection->length -= done;
    memmove(connection->bytes, connection->bytes + done, connection->length);
    return connection->length < room;
}

static void accept_all(int poller, int listener) {
    int descriptor, one = 1;
    while ((descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct connection *connection = calloc(1, sizeof *connection);
        connection->descriptor = descriptor;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
    }
}

static void take_command(int poller) {
    char line[64];
    ssize_t length = read(STDIN_FILENO, line, sizeof line - 1);
    if (length <= 0) {
        epoll_ctl(poller, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
        return;
    }
    line[length] = 0;
    arrivals_reset(&arrivals, strtoull(line, NULL, 10));
    is_measuring = true;
    arrivals_begin(&arrivals);
}

static void take_event(int poller, int listener, struct connection *connection) {
    if (!connection) {
        accept_all(poller, listener);
    } else if (connection->descriptor == STDIN_FILENO) {
        take_command(poller);
    } else if (!serve(connection)) {
        close(connection->descriptor);
        free(connection);
    }
}

int main(int argc, char **argv) {
    static struct connection input = {.descriptor = STDIN_FILENO};
    struct options options = options_begin(argc, argv, usage);
    uint16_t port = (uint16_t)option_number(&options, "--port", 8090);
    arrivals_options(&arrivals, &options);
    options_finish(&options);

    catch_signals();
    int listener = listen_on(port), poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event listening = {.events = EPOLLIN}, commands = {.events = EPOLLIN, .data.ptr = &input};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &listening);
    epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &commands);
    while (!stop_requested) {
        struct epoll_event events[events_per_turn];
        int count = epoll_wait(poller, events, events_per_turn, 50);
        for (int i = 0; i < count; i++) take_event(poller, listener, events[i].data.ptr);
        if (is_measuring && arrivals_finished(&arrivals)) {
            is_measuring = false;
            arrivals_print(&arrivals);
        }
    }
    return 0;
}
