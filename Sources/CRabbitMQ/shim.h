#pragma once
// Only the library's own headers; what Swift cannot import of them is wrapped here, each with its reason.
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
