/* JSON Web Keys, written by hand: a JSON library would leave private numbers in its strings. */
#include "internal.h"

/* A JSON string (RFC 8259 section 7). */
static void put_string(struct skrfs_sink *sink, const char *text) {
    static const char digits[] = "0123456789abcdef";
    skrfs_sink_text(sink, "\"");
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (c < 0x20) {
            const char escape[] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
            skrfs_sink_put(sink, escape, sizeof(escape));
            continue;
        }
        if (c == '"' || c == '\\')
            skrfs_sink_text(sink, "\\");
        skrfs_sink_put(sink, at, 1);
    }
    skrfs_sink_text(sink, "\"");
}

static void put_name(struct skrfs_sink *sink, const char *name) {
    skrfs_sink_text(sink, ",\"");
    skrfs_sink_text(sink, name);
    skrfs_sink_text(sink, "\":");
}

void skrfs_jwk_encoder(struct skrfs_sink *sink, const void *context) {
    const struct skrfs_jwk *jwk = context;
    skrfs_sink_text(sink, "{\"kty\":");
    put_string(sink, jwk->kty);
    if (jwk->kid) {
        put_name(sink, "kid");
        put_string(sink, jwk->kid);
    }
    if (jwk->crv) {
        put_name(sink, "crv");
        put_string(sink, jwk->crv);
    }
    for (size_t i = 0; i < jwk->count; i++) {
        put_name(sink, jwk->members[i].name);
        skrfs_sink_text(sink, "\"");
        skrfs_sink_base64url(sink, jwk->members[i].value);
        skrfs_sink_text(sink, "\"");
    }
    skrfs_sink_text(sink, "}\n");
}

static void add(struct skrfs_jwk *jwk, const char *name, struct skrfs_bytes value) {
    jwk->members[jwk->count].name = name;
    jwk->members[jwk->count++].value = value;
}

void skrfs_jwk_of_numbers(
        const struct skrfs_numbers *numbers, const char *kid, struct skrfs_jwk *ret_jwk) {
    struct skrfs_jwk jwk = {.kty = "RSA", .kid = kid};
    if (numbers->type == SKRFS_KEY_EC) {
        jwk.kty = "EC";
        jwk.crv = skrfs_curve_name(numbers->curve);
        add(&jwk, "x", numbers->x);
        add(&jwk, "y", numbers->y);
        add(&jwk, "d", numbers->d);
    } else {
        add(&jwk, "n", numbers->n);
        add(&jwk, "e", numbers->e);
        add(&jwk, "d", numbers->d);
        add(&jwk, "p", numbers->p);
        add(&jwk, "q", numbers->q);
        add(&jwk, "dp", numbers->dp);
        add(&jwk, "dq", numbers->dq);
        add(&jwk, "qi", numbers->qi);
    }
    *ret_jwk = jwk;
}

void skrfs_jwk_of_public(
        const struct skrfs_public *public, const char *kid, struct skrfs_jwk *ret_jwk) {
    struct skrfs_jwk jwk = {.kty = "RSA", .kid = kid};
    if (public->type == SKRFS_KEY_EC) {
        jwk.kty = "EC";
        jwk.crv = skrfs_curve_name(public->curve);
        add(&jwk, "x", (struct skrfs_bytes){public->x, public->xy_len});
        add(&jwk, "y", (struct skrfs_bytes){public->y, public->xy_len});
    } else {
        add(&jwk, "n", skrfs_crypto_trim(public->n, public->n_len));
        add(&jwk, "e", skrfs_crypto_trim(public->e, public->e_len));
    }
    *ret_jwk = jwk;
}
