/*
 * The engines are started, and told of each other: which of them there are in this mode,
 * on this interpreter, and what a lower one asks a higher one.
 *
 * Context of everything: as ftsan_runtime_start() has it.
 */
#ifndef FTSAN_ENGINES_H
#define FTSAN_ENGINES_H

#include "base/base.h"
#include "runtime/host.h"

/* Layouts of the interpreter, modules, stacks: the first of all. @host, @options:
 * borrowed, must stay. */
void ftsan_engines_stacks(const struct ftsan_host *host,
			  const struct ftsan_options *options);

/* Those that the options ask for, and the proof of life. The log is open. */
void ftsan_engines_start(void);

/* An `engine` record for each. Also in the child of a fork. */
void ftsan_engines_record(void);

#endif
