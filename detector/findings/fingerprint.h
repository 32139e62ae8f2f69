/*
 * What makes two findings the same: the kind, the thing, and the top of both stacks,
 * whichever thread was first. Addresses, lines and offsets of named functions are left
 * out, so that the fingerprint survives a rebuild.
 */
#ifndef FTSAN_FINGERPRINT_H
#define FTSAN_FINGERPRINT_H

#include <stdint.h>

#include "findings/view.h"

/* Pure. Looks at the first two stacks with a role of an access or a call. */
uint64_t ftsan_fingerprint(const struct ftsan_view *view);

#endif
