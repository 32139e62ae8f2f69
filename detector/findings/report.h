/*
 * From what the engines recorded to a line of the log.
 */
#ifndef FTSAN_REPORT_H
#define FTSAN_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "findings/incident.h"

struct ftsan_thread;

/**
 * ftsan_report() - write an incident to the log
 *
 * Incidents of one bug are one finding, by findings/group.h; the first is written, and
 * the first of each other sort of evidence (who else met whom).
 *
 * Context: any thread, handlers included; async-signal-safe. One report is made at a
 *          time; a second waits for the first (bounded), and is dropped and counted
 *          when its own thread is in the middle of one.
 * Return:  true when it is in the log (or was before).
 */
bool ftsan_report(const struct ftsan_incident *incident);

/**
 * ftsan_party_of() - a thread's part, with the stack that is in its record
 * @thread: the calling one
 * @access: NULL: a part without one
 *
 * Borrows the record's name, which is read, and its stack. Async-signal-safe.
 */
struct ftsan_party ftsan_party_of(struct ftsan_thread *thread, enum ftsan_role role,
				  const struct ftsan_access *access);

/* Distinct findings so far, and records of them in the log. */
unsigned ftsan_report_count(void);
unsigned ftsan_report_records(void);

/* Calls @visit for each fingerprint that occurred more often than the log has records
 * of it. Normal context. */
void ftsan_report_duplicates(void (*visit)(uint64_t fingerprint, uint32_t more, void *to),
			     void *to);

/**
 * ftsan_report_init() - start-up, and again after a detach: nothing was found then
 * @print:      findings go to stderr as text, too
 * @gil_kept_off: a finding after a module asked for the GIL carries gil_forced
 * @code_type, @abi: for Python positions of allocations; NULL: left out
 */
int ftsan_report_init(bool print, bool gil_kept_off, const struct ftsan_pyabi *abi,
		      uintptr_t code_type);

/* Own text: faults there are no findings, frames there are not shown. */
void ftsan_report_fork_prepare(void);
void ftsan_report_fork_parent(void);
void ftsan_report_fork_child(void);

#endif
