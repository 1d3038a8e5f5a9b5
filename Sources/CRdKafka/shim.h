#pragma once
// Only the library's own header; what Swift cannot import of it is wrapped here, each with its reason.
#include <librdkafka/rdkafka.h>
