/* What the unit tests share: cmocka with its includes, and the captured samples. */
#ifndef SKRFS_TESTS_SUPPORT_H
#define SKRFS_TESTS_SUPPORT_H

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <skrfs/base/buf.h>
#include <stdio.h>
#include <string.h>

/* Asserts that a call succeeded, printing the error's message when it did not. */
#define assert_ok(call, err)                                                                       \
    do {                                                                                           \
        if ((call) != 0) {                                                                         \
            print_error("%s\n", (err).message);                                                    \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

/* Asserts that a call failed with this class, and that its message has this text in it. */
#define assert_fails(call, err, wanted_kind, wanted_text)                                          \
    do {                                                                                           \
        assert_int_equal((call), -1);                                                              \
        if ((err).kind != (wanted_kind) || !strstr((err).message, (wanted_text))) {                \
            print_error("class %s: %s\n", skrfs_class_name((err).kind), (err).message);            \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

/* Reads a captured sample ("cvm/hcl-snp-kinvolk.bin") below SKRFS_VECTORS, by default
 * ../shared/vectors beside the source. Where the samples are absent the calling test ends as
 * skipped, aloud. */
void vector_read(const char *name, struct skrfs_buf *out);

#endif
