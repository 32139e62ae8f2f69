/* The records of the modules and threads that a finding names: they come before it. */
#ifndef FTSAN_INTRODUCE_H
#define FTSAN_INTRODUCE_H

#include <stddef.h>
#include <stdint.h>

#include "findings/incident.h"

/**
 * ftsan_introduce() - write them to the log
 * @log_number: tells the log from earlier ones of this process; each has a module once
 * @line, @size: room for a record
 *
 * Context: the holder of the report's turn; async-signal-safe.
 */
void ftsan_introduce(const struct ftsan_incident *incident, uint32_t log_number,
		     char *line, size_t size);

#endif
