#define _GNU_SOURCE
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

enum { device_limit = 1 << 22 };  // the memory for them is touched only where devices are

// MARK: what is sent

void workload_options(struct workload *load, struct options *options) {
    const char *mode = option_text(options, "--mode", "modify");
    load->policy = option_text(options, "--policy", "bench:fleet");
    load->devices = option_number(options, "--devices", 1000);
    load->first = option_number(options, "--first", 0);
    load->stride = option_number(options, "--stride", 1);
    load->count = option_number(options, "--count", 0);
    load->rate = option_number(options, "--rate", 0);
    load->size = option_number(options, "--size", 500);
    load->end = option_number(options, "--seconds", 0) * 1000000000u;
    load->creating = strcmp(mode, "create") == 0;
    if (!load->creating && strcmp(mode, "modify") != 0) fail("--mode", "is modify or create");
    if (!load->count && !load->end) fail("--count", "or --seconds is needed");
    if (load->devices == 0) fail("--devices", "must be at least 1");
    if (load->size > payload_limit - 1000) fail("--size", "is too large");
}

void workload_begin(struct workload *load) {
    prctl(PR_SET_TIMERSLACK, 1000ul);  // nanoseconds; the default of 50 µs would blur the spacing
    load->start = now_nanoseconds();
    if (load->end) load->end += load->start;
}

bool workload_finished(const struct workload *load) {
    return stop_requested || (load->count && load->made >= load->count)
           || (load->end && now_nanoseconds() >= load->end);
}

uint64_t workload_due(const struct workload *load) {
    if (!load->rate) return now_nanoseconds();
    return load->start + (uint64_t)((double)load->made * 1e9 / (double)load->rate);
}

static size_t write_modify(struct workload *load, uint64_t time) {
    return (size_t)snprintf(
        load->payload, payload_limit,
        "{\"topic\":\"bench/device-%llu/things/twin/commands/modify\",\"headers\":{\"response-required\":false,"
        "\"correlation-id\":\"bench-%llu\"},\"path\":\"/features/engine/properties/speed\","
        "\"value\":{\"n\":%llu,\"t\":%llu}}",
        (unsigned long long)load->device, (unsigned long long)load->made, (unsigned long long)load->made,
        (unsigned long long)time);
}

static size_t write_thing(struct workload *load, char *text, size_t limit, int padding) {
    char policy[300] = "";
    if (*load->policy) snprintf(policy, sizeof policy, "\"policyId\":\"%s\",", load->policy);
    return (size_t)snprintf(
        text, limit,
        "{\"thingId\":\"bench:device-%llu\",%s\"attributes\":{\"manufacturer\":\"Example Works\",\"model\":\"P-300\","
        "\"location\":{\"site\":\"north\",\"floor\":2},\"commissioned\":true,\"note\":\"%0*d\"},\"features\":{"
        "\"engine\":{\"properties\":{\"speed\":{\"n\":0,\"t\":0},\"temperature\":71.5,\"status\":\"running\"}},"
        "\"battery\":{\"properties\":{\"charge\":87,\"voltage\":12.4,\"cycles\":312}},"
        "\"network\":{\"properties\":{\"signal\":-67,\"address\":\"198.51.100.17\"}}}}",
        (unsigned long long)load->device, policy, padding, 0);
}

static size_t write_create(struct workload *load) {
    size_t bare = write_thing(load, NULL, 0, 1);
    int padding = load->size > bare ? (int)(load->size - bare) + 1 : 1;
    size_t length = (size_t)snprintf(
        load->payload, payload_limit,
        "{\"topic\":\"bench/device-%llu/things/twin/commands/create\",\"headers\":{\"response-required\":false,"
        "\"correlation-id\":\"create-%llu\"},\"path\":\"/\",\"value\":",
        (unsigned long long)load->device, (unsigned long long)load->device);
    length += write_thing(load, load->payload + length, payload_limit - length, padding);
    load->payload[length++] = '}';
    return length;
}

size_t workload_next(struct workload *load, uint64_t due) {
    load->device = load->first + (load->made % load->devices) * load->stride;
    size_t length = load->creating ? write_create(load) : write_modify(load, due);
    load->made++;
    return length;
}

void workload_print(const struct workload *load, uint64_t confirmed) {
    double taken = (double)(now_nanoseconds() - load->start) / 1e9;
    printf("{\"sent\":%llu,\"confirmed\":%llu,\"seconds\":%.6f,\"cpuSeconds\":%.6f}\n", (unsigned long long)load->made,
           (unsigned long long)confirmed, taken, cpu_seconds());
    fflush(stdout);
}

// MARK: what arrives

void arrivals_options(struct arrivals *arrivals, struct options *options) {
    arrivals->idle = option_number(options, "--idle", 3000) * 1000000u;
    arrivals->first_limit = option_number(options, "--first-within", 10000) * 1000000u;
    arrivals->skip = option_number(options, "--skip", 0);
    arrivals_reset(arrivals, option_number(options, "--count", 1));
}

void arrivals_reset(struct arrivals *arrivals, uint64_t count) {
    if (count == 0) fail("--count", "must be at least 1");
    free(arrivals->seen);
    free(arrivals->latencies);
    free(arrivals->last_of_device);
    *arrivals = (struct arrivals){
        .count = count, .skip = arrivals->skip, .idle = arrivals->idle, .first_limit = arrivals->first_limit,
        .seen = calloc(count, 1), .latencies = calloc(count, sizeof(uint64_t)),
        .last_of_device = calloc(device_limit, sizeof(uint64_t))};
    if (!arrivals->seen || !arrivals->latencies || !arrivals->last_of_device) fail("--count", "not enough memory");
}

void arrivals_begin(struct arrivals *arrivals) {
    puts("ready");
    fflush(stdout);
    arrivals->start = now_nanoseconds();
}

// Reads `"n":…` and `"t":…` behind `"value":`. False when the payload is not one of the generator's.
static bool read_value(const char *payload, size_t length, uint64_t *number, uint64_t *time) {
    const char *end = payload + length;
    const char *at = memmem(payload, length, "\"value\":{\"n\":", 13);
    if (!at) return false;
    char *next = NULL;
    // strtoull stops at the comma or brace, which every parsed payload has behind the number.
    *number = strtoull(at + 13, &next, 10);
    if (end - next < 6 || memcmp(next, ",\"t\":", 5) != 0) return false;
    *time = strtoull(next + 5, NULL, 10);
    return true;
}

static void check_order(struct arrivals *arrivals, const char *payload, size_t length, uint64_t number) {
    static const char prefix[] = "bench/device-";
    const char *at = memmem(payload, length, prefix, sizeof prefix - 1);
    uint64_t device = at ? strtoull(at + sizeof prefix - 1, NULL, 10) : device_limit;
    if (device >= device_limit) return;
    if (arrivals->last_of_device[device] > number) arrivals->disordered++;
    else arrivals->last_of_device[device] = number + 1;
}

void arrivals_take(struct arrivals *arrivals, const void *payload, size_t length) {
    uint64_t now = now_nanoseconds();
    if (arrivals->received == 0) arrivals->first = now;
    arrivals->last = now;
    arrivals->received++;

    uint64_t number = 0, time = 0;
    if (!read_value(payload, length, &number, &time) || number >= arrivals->count) {
        arrivals->unparsed++;
        return;
    }
    if (arrivals->seen[number]) return;
    if (time && (arrivals->first_due == 0 || time < arrivals->first_due)) arrivals->first_due = time;
    arrivals->seen[number] = 1;
    arrivals->distinct++;
    check_order(arrivals, payload, length, number);
    if (arrivals->distinct > arrivals->skip && now > time) arrivals->latencies[arrivals->measured++] = now - time;
}

bool arrivals_finished(const struct arrivals *arrivals) {
    if (stop_requested || arrivals->distinct + arrivals->unparsed >= arrivals->count) return true;
    uint64_t now = now_nanoseconds();
    return arrivals->received == 0 ? now - arrivals->start > arrivals->first_limit
                                   : now - arrivals->last > arrivals->idle;
}

static int ascending(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static double percentile(const struct arrivals *arrivals, double fraction) {
    if (arrivals->measured == 0) return 0;
    uint64_t index = (uint64_t)(fraction * (double)(arrivals->measured - 1) + 0.5);
    return (double)arrivals->latencies[index] / 1000;
}

void arrivals_print(struct arrivals *arrivals) {
    qsort(arrivals->latencies, arrivals->measured, sizeof(uint64_t), ascending);
    double seconds = (double)(arrivals->last - arrivals->first) / 1e9;
    double since_sent = (double)(arrivals->last - arrivals->first_due) / 1e9;
    printf("{\"received\":%llu,\"distinct\":%llu,\"unparsed\":%llu,\"disordered\":%llu,\"seconds\":%.6f,"
           "\"throughput\":%.1f,\"throughputSinceSent\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,"
           "\"max\":%.1f,\"cpuSeconds\":%.6f}\n",
           (unsigned long long)arrivals->received, (unsigned long long)arrivals->distinct,
           (unsigned long long)arrivals->unparsed, (unsigned long long)arrivals->disordered, seconds,
           seconds > 0 ? (double)arrivals->received / seconds : 0,
           since_sent > 0 ? (double)arrivals->received / since_sent : 0, percentile(arrivals, 0.5),
           percentile(arrivals, 0.99), percentile(arrivals, 0.999), percentile(arrivals, 1), cpu_seconds());
    fflush(stdout);
}
