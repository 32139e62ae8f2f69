/* What a test program knows of the fake detector. */
#ifndef FTSAN_TESTS_FAKE_RUNTIME_H
#define FTSAN_TESTS_FAKE_RUNTIME_H

/* A store to this page is the fake detector's, once each time it is made read-only. */
#define FAKE_PAGE 0x6f0000000000UL

/* Makes a program look like CPython to libftsan. */
#define PRETEND_CPYTHON                                                                  \
	extern const char _PyRuntime[64] __attribute__((visibility("default")));         \
	const char _PyRuntime[64] = "test"

#endif
