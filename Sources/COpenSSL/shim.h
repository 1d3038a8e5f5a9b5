#pragma once
// The copy of OpenSSL that the client libraries load anyway. Macros Swift cannot import are wrapped here, each with its
// reason.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// Macros over SSL_ctrl and SSL_CTX_ctrl.
static inline long twinspan_ssl_set_server_name(SSL *ssl, const char *name) {
    return SSL_set_tlsext_host_name(ssl, name);
}
static inline int twinspan_ssl_set_minimum_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}
static inline long twinspan_ssl_set_mode(SSL_CTX *context, long mode) { return SSL_CTX_set_mode(context, mode); }
static inline long twinspan_ssl_set_stream_mode(SSL *ssl, long mode) { return SSL_set_mode(ssl, mode); }
static inline int twinspan_ssl_add_chain_certificate(SSL_CTX *context, X509 *certificate) {
    return SSL_CTX_add1_chain_cert(context, certificate);
}
// A macro over CRYPTO_get_ex_new_index.
static inline int twinspan_ssl_new_context_index(CRYPTO_EX_free *release) {
    return SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, release);
}
// ERR_GET_REASON is an inline function in OpenSSL 3 and was a macro before.
static inline int twinspan_ssl_reason(unsigned long error) { return ERR_GET_REASON(error); }
// A macro with casts in it.
static const unsigned long twinspan_x509_one_line = XN_FLAG_ONELINE;
