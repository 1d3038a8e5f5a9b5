#pragma once
// Only the library's own header: everything the adapter calls can be imported by Swift as it is.
#include <mosquitto.h>
