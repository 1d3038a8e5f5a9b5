#pragma once
// The SSH client library; nothing of it needs wrapping.
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
