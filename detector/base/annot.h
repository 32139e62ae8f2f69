/* Attributes and small macros. Includes nothing. */
#ifndef FTSAN_BASE_ANNOT_H
#define FTSAN_BASE_ANNOT_H

/* Exported from libftsan.so; everything else is hidden. */
#define FTSAN_EXPORT __attribute__((visibility("default")))
/* For variables of other files: without it their addresses are read from a table first.
 */
#define FTSAN_HIDDEN __attribute__((visibility("hidden")))
#define FTSAN_NOINLINE __attribute__((noinline))
#define FTSAN_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/*
 * Thread-local state is initial-exec: the general model calls __tls_get_addr,
 * which may allocate, and handlers read these. A preloaded object is part of the
 * initial set, so its static TLS block always fits; keep the sum small all the
 * same, because `ftsan attach` loads the object late.
 */
#define FTSAN_TLS __thread __attribute__((tls_model("initial-exec")))

#define FTSAN_LIKELY(x) __builtin_expect(!!(x), 1)
#define FTSAN_UNLIKELY(x) __builtin_expect(!!(x), 0)

#define FTSAN_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define FTSAN_PAGE 4096UL

#endif
