#pragma once
// Only the library's own headers: everything the adapter calls can be imported by Swift as it is.
#include <mosquitto.h>
#include <mqtt_protocol.h>
