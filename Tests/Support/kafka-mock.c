// A Kafka cluster for tests and measurements: the mock cluster of librdkafka in a process of its own, and clients of
// its own that share no code with the adapter. Commands come as lines on stdin; each is answered by one line on stdout:
// "ok…", "none" or "error …". Bytes are hexadecimal, "-" is none, "." is empty. The first line of output is
// "bootstrap HOST:PORT,…". The program ends with its input.
//
//   topic NAME PARTITIONS          create a topic (others have 4 partitions once somebody asks for them)
//   down | up                      all brokers: cut connections and refuse new ones, or serve again
//   rtt MILLISECONDS               delay every answer
//   err API COUNT CODE             answer the next COUNT requests of a kind (0 Produce, 1 Fetch, 8 OffsetCommit,
//                                  11 JoinGroup, 12 Heartbeat) with an error
//   terr NAME CODE                 answer every question about a topic with an error; 0 ends it
//   coord GROUP BROKER             let a broker coordinate a group
//   leader TOPIC PARTITION BROKER  let a broker lead a partition; -1 leaves it without
//   send TOPIC PARTITION COUNT     then COUNT lines KEY VALUE [NAME=VALUE …]; answered when all are stored
//   load TOPIC COUNT BYTES         send COUNT messages of so many bytes, partitions in turn; for measurements
//   collect TOPIC [start]          make a collector of all partitions, from now on; answers "ok NUMBER"
//   next NUMBER MILLISECONDS       the collector's next message: "ok PARTITION OFFSET KEY VALUE [NAME=VALUE …]"
//   committed GROUP TOPIC COUNT    a group's places in the first COUNT partitions: "ok OFFSET …", -1001 for none
//   end TOPIC PARTITION            the offset of the next message
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { brokers = 3, collectors_max = 64, wait_ms = 10000 };

static rd_kafka_t *cluster_handle, *sender;
static rd_kafka_mock_cluster_t *cluster;
static rd_kafka_t *collectors[collectors_max];
static int collector_count, outstanding, failed;

static void die(const char *what) {
    fprintf(stderr, "kafka-mock: %s\n", what);
    exit(1);
}

// Decodes hexadecimal in place; NULL for "-", nothing for ".".
static char *decode(char *text, size_t *size) {
    *size = 0;
    if (!strcmp(text, "-")) return NULL;
    if (!strcmp(text, ".")) return text;
    size_t count = strlen(text) / 2;
    for (size_t i = 0; i < count; i++) {
        unsigned byte = 0;
        sscanf(text + 2 * i, "%2x", &byte);
        text[i] = (char)byte;
    }
    text[count] = 0;
    *size = count;
    return text;
}

static void print_hex(const void *bytes, size_t size) {
    if (!bytes) {
        putchar('-');
        return;
    }
    if (!size) putchar('.');
    for (size_t i = 0; i < size; i++) printf("%02x", ((const unsigned char *)bytes)[i]);
}

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque) {
    (void)handle, (void)opaque;
    outstanding--;
    if (message->err) failed = message->err;
}

static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text) {
    (void)handle, (void)level, (void)facility, (void)text;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char error[256];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) die(error);
}

static rd_kafka_t *make(rd_kafka_type_t type, const char *group) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char error[256];
    rd_kafka_conf_set_log_cb(conf, on_log);
    if (cluster) {
        set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster));
        set(conf, "reconnect.backoff.max.ms", "100");
    }
    if (type == RD_KAFKA_PRODUCER && cluster) {
        set(conf, "enable.idempotence", "true");
        set(conf, "linger.ms", "1");
        set(conf, "sticky.partitioning.linger.ms", "0");
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    }
    if (type == RD_KAFKA_CONSUMER) {
        set(conf, "group.id", group);
        set(conf, "enable.auto.commit", "false");
        set(conf, "auto.offset.reset", "earliest");
        set(conf, "fetch.wait.max.ms", "20");
    }
    rd_kafka_t *handle = rd_kafka_new(type, conf, error, sizeof error);
    if (!handle) die(error);
    return handle;
}

static void report(int code) {
    if (code) printf("error %d %s\n", code, rd_kafka_err2str(code));
    else puts("ok");
}

static void await_reports(void) {
    for (int waited = 0; outstanding > 0 && waited < wait_ms; waited += 20) rd_kafka_poll(sender, 20);
    if (outstanding > 0) failed = RD_KAFKA_RESP_ERR__TIMED_OUT;
    report(failed);
}

static void produce(const char *topic, int partition, char *line) {
    char *rest = line, *word;
    size_t key_size = 0, value_size = 0;
    char *key = decode((word = strsep(&rest, " ")), &key_size);
    char *value = rest ? decode(strsep(&rest, " "), &value_size) : NULL;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(8);
    while (rest && (word = strsep(&rest, " "))) {
        char *name = strsep(&word, "=");
        size_t name_size, content_size;
        name = decode(name, &name_size);
        char *content = decode(word ? word : "-", &content_size);
        rd_kafka_header_add(headers, name, (ssize_t)name_size, content, (ssize_t)content_size);
    }
    int code = rd_kafka_producev(
        sender, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(key, key_size),
        RD_KAFKA_V_VALUE(value, value_size), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_END);
    if (!code) outstanding++;
    else failed = code, rd_kafka_headers_destroy(headers);
}

static void load(const char *topic, int count, int bytes) {
    char *value = malloc((size_t)bytes + 1);
    memset(value, 'x', (size_t)bytes);
    for (int i = 0; i < count; i++) {
        int code;
        while ((code = rd_kafka_producev(
                    sender, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_VALUE(value, (size_t)bytes),
                    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            rd_kafka_poll(sender, 10);
        if (!code) outstanding++;
        else failed = code;
        if (i % 1000 == 0) rd_kafka_poll(sender, 0);
    }
    free(value);
    await_reports();
}

static void collect(const char *topic, int from_start) {
    if (collector_count == collectors_max) {
        puts("error too many collectors");
        return;
    }
    rd_kafka_t *handle = make(RD_KAFKA_CONSUMER, "kafka-mock");
    rd_kafka_topic_t *object = rd_kafka_topic_new(handle, topic, NULL);
    const struct rd_kafka_metadata *metadata;
    int code = rd_kafka_metadata(handle, 0, object, &metadata, wait_ms);
    if (!code && metadata->topics[0].err) code = metadata->topics[0].err;
    if (code) {
        report(code);
        rd_kafka_topic_destroy(object);
        rd_kafka_destroy(handle);
        return;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (int i = 0; i < metadata->topics[0].partition_cnt; i++) {
        int64_t low = 0, high = 0;
        rd_kafka_query_watermark_offsets(handle, topic, i, &low, &high, wait_ms);
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = from_start ? low : high;
    }
    rd_kafka_assign(handle, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(object);
    collectors[collector_count++] = handle;
    printf("ok %d\n", collector_count - 1);
}

static void next(int number, int patience) {
    if (number < 0 || number >= collector_count) {
        puts("error no such collector");
        return;
    }
    rd_kafka_message_t *message;
    for (;; patience -= 100) {
        message = rd_kafka_consumer_poll(collectors[number], patience < 100 ? patience : 100);
        if (message && !message->err) break;
        if (message) rd_kafka_message_destroy(message);
        if (patience <= 100) {
            puts("none");
            return;
        }
    }
    printf("ok %d %lld ", message->partition, (long long)message->offset);
    print_hex(message->key, message->key_len);
    putchar(' ');
    print_hex(message->payload, message->len);
    rd_kafka_headers_t *headers;
    if (!rd_kafka_message_headers(message, &headers)) {
        const char *name;
        const void *value;
        size_t size;
        for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &size); i++) {
            putchar(' ');
            print_hex(name, strlen(name));
            putchar('=');
            print_hex(value, size);
        }
    }
    putchar('\n');
    rd_kafka_message_destroy(message);
}

static void committed(const char *group, const char *topic, int count) {
    rd_kafka_t *handle = make(RD_KAFKA_CONSUMER, group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (int i = 0; i < count; i++) rd_kafka_topic_partition_list_add(list, topic, i);
    int code = rd_kafka_committed(handle, list, wait_ms);
    if (code) {
        report(code);
    } else {
        printf("ok");
        for (int i = 0; i < list->cnt; i++) printf(" %lld", (long long)list->elems[i].offset);
        putchar('\n');
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(handle);
}

static void watermark(const char *topic, int partition) {
    int64_t low = 0, high = 0;
    int code = rd_kafka_query_watermark_offsets(sender, topic, partition, &low, &high, wait_ms);
    if (code) report(code);
    else printf("ok %lld\n", (long long)high);
}

int main(void) {
    char *line = NULL, name[256], group[256];
    size_t capacity = 0;
    int a, b, c;
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    cluster_handle = make(RD_KAFKA_PRODUCER, NULL);
    cluster = rd_kafka_mock_cluster_new(cluster_handle, brokers);
    if (!cluster) die("no cluster");
    sender = make(RD_KAFKA_PRODUCER, NULL);
    printf("bootstrap %s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    fflush(stdout);
    while (getline(&line, &capacity, stdin) > 0) {
        if (sscanf(line, "topic %255s %d", name, &a) == 2) {
            report(rd_kafka_mock_topic_create(cluster, name, a, 1));
        } else if (!strcmp(line, "down\n") || !strcmp(line, "up\n")) {
            for (int i = 1; i <= brokers; i++)
                line[0] == 'd' ? rd_kafka_mock_broker_set_down(cluster, i) : rd_kafka_mock_broker_set_up(cluster, i);
            report(0);
        } else if (sscanf(line, "rtt %d", &a) == 1) {
            for (int i = 1; i <= brokers; i++) rd_kafka_mock_broker_set_rtt(cluster, i, a);
            report(0);
        } else if (sscanf(line, "err %d %d %d", &a, &b, &c) == 3) {
            for (int i = 0; i < b; i++) rd_kafka_mock_push_request_errors(cluster, (int16_t)a, 1, c);
            report(0);
        } else if (sscanf(line, "terr %255s %d", name, &a) == 2) {
            rd_kafka_mock_topic_set_error(cluster, name, a);
            report(0);
        } else if (sscanf(line, "coord %255s %d", name, &a) == 2) {
            report(rd_kafka_mock_coordinator_set(cluster, "group", name, a));
        } else if (sscanf(line, "leader %255s %d %d", name, &a, &b) == 3) {
            report(rd_kafka_mock_partition_set_leader(cluster, name, a, b));
        } else if (sscanf(line, "send %255s %d %d", name, &a, &b) == 3) {
            failed = 0;
            for (int i = 0; i < b && getline(&line, &capacity, stdin) > 0; i++) {
                line[strcspn(line, "\n")] = 0;
                produce(name, a, line);
            }
            await_reports();
        } else if (sscanf(line, "load %255s %d %d", name, &a, &b) == 3) {
            failed = 0;
            load(name, a, b);
        } else if (sscanf(line, "collect %255s %255s", name, group) >= 1) {
            collect(name, strstr(line, " start") != NULL);
        } else if (sscanf(line, "next %d %d", &a, &b) == 2) {
            next(a, b);
        } else if (sscanf(line, "committed %255s %255s %d", group, name, &a) == 3) {
            committed(group, name, a);
        } else if (sscanf(line, "end %255s %d", name, &a) == 2) {
            watermark(name, a);
        } else {
            puts("error unknown command");
        }
        fflush(stdout);
    }
    // The process ends here: orderly goodbyes of a cluster that nobody needs any more would only take time.
    _Exit(0);
}
