#pragma once
// Only the library's own headers; what Swift cannot import of them is wrapped here, each with its reason.
#include <proton/connection.h>
#include <proton/connection_driver.h>
#include <proton/codec.h>
#include <proton/condition.h>
#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/event.h>
#include <proton/link.h>
#include <proton/message.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <proton/ssl.h>
#include <proton/terminus.h>
#include <proton/transport.h>
