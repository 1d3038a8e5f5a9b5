// The far end of `make bench` over MQTT: counts what arrives and computes throughput, loss, order and latency.
#include "client.h"
#include "workload.h"

#include <poll.h>

static const char usage[] =
    "usage: sink --port PORT --count N [--host 127.0.0.1] [--id sink] [--filter out/#] …\n"
    "Subscribes with QoS 1, prints 'ready', and when it is done one JSON line.\n" ARRIVALS_USAGE;

static void take(struct client *client, const struct mosquitto_message *message) {
    arrivals_take(client->context, message->payload, (size_t)message->payloadlen);
}

int main(int argc, char **argv) {
    static struct arrivals arrivals;
    static struct client client = {.context = &arrivals, .on_message = take};
    struct options options = options_begin(argc, argv, usage);
    struct address broker = {
        option_text(&options, "--host", "127.0.0.1"), (int)option_number(&options, "--port", 1883)};
    const char *id = option_text(&options, "--id", "sink");
    const char *filter = option_text(&options, "--filter", "out/#");
    arrivals_options(&arrivals, &options);
    options_finish(&options);

    catch_signals();
    client_open(&client, broker, id, true, 20, 4);
    client_subscribe(&client, filter, 1);
    arrivals_begin(&arrivals);
    while (!arrivals_finished(&arrivals)) {
        struct pollfd entry = client_poll_entry(&client, true);
        poll(&entry, 1, 50);
        if (entry.revents & (POLLIN | POLLERR | POLLHUP)) client_read(&client, 400);
        client_write(&client);
        client_tick(&client);
    }
    arrivals_print(&arrivals);
    client_close(&client);
    return 0;
}
