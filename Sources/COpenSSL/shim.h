#pragma once
// The copy of OpenSSL that the client libraries load anyway. Macros Swift cannot import are wrapped here, each with its
// reason.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
