#pragma once
// Only the library's own header; what Swift cannot import of it is wrapped here, each with its reason.
#include <librdkafka/rdkafka.h>

// `rd_kafka_producev` is variadic. The library copies key and payload, and owns `headers` when it answers 0. An empty
// payload needs an address: without one the message would be a tombstone.
static inline rd_kafka_resp_err_t twinspan_rd_kafka_produce(
    rd_kafka_t *handle, const char *topic, int32_t partition, const void *key, size_t key_size, const void *payload,
    size_t payload_size, rd_kafka_headers_t *headers, void *opaque) {
    return rd_kafka_producev(
        handle, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(key, key_size),
        RD_KAFKA_V_VALUE((void *)(payload ? payload : ""), payload_size), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
}
