/* What a finding says of a guarded buffer. */
#ifndef FTSAN_SLOT_TELL_H
#define FTSAN_SLOT_TELL_H

#include <stdint.h>

#include "findings/findings.h"
#include "rules/rules.h"

/**
 * ftsan_slot_tell() - fill in what is known of a slot's buffer
 * @slot:     pinned, or owned by the caller
 * @object:   filled; borrowed by the incident
 * @incident: its address is set
 *
 * Context: any thread, async-signal-safe.
 */
void ftsan_slot_tell(uint32_t slot, struct ftsan_object *object,
		     struct ftsan_incident *incident);

/* A free as an access: it covers the whole buffer. Any context. */
struct ftsan_access ftsan_slot_free_access(uint32_t slot);

#endif
