/* An incident as it is shown: names for its numbers, frames for its stacks. */
#ifndef FTSAN_INCIDENT_VIEW_H
#define FTSAN_INCIDENT_VIEW_H

#include "findings/incident.h"
#include "view/view.h"

/**
 * ftsan_incident_view_init() - start-up, and again after a detach
 * @gil_kept_off, @abi, @code_type: see ftsan_report_init()
 *
 * Return: 0 or -ENOMEM.
 */
int ftsan_incident_view_init(bool gil_kept_off, const struct ftsan_pyabi *abi,
			     uintptr_t code_type);

/**
 * ftsan_incident_view() - make it
 *
 * What names the finding (fingerprint, culprit, id, evidence) is left empty. What it
 * points at is borrowed of the incident, or ours until the next call.
 *
 * Context: the holder of the report's turn; async-signal-safe.
 */
struct ftsan_view *ftsan_incident_view(const struct ftsan_incident *incident);

#endif
