/* The guarded-buffer engine with nobody above it, for tests: buffers of one plain kind.
 */
#ifndef FTSAN_TESTS_GUARD_HOST_H
#define FTSAN_TESTS_GUARD_HOST_H

#include "pages/pages.h"

static const struct ftsan_adapter plain_adapter = {.name = "plain"};

static const struct ftsan_guard_host plain_host = {
	.adapters = {&plain_adapter, &plain_adapter, &plain_adapter},
};

#endif
