/* The log's records that are no findings: process, engine, coverage, end. */
#ifndef FTSAN_RECORDS_H
#define FTSAN_RECORDS_H

#include "base/base.h"
#include "runtime/host.h"
#include "stacks/stacks.h"

/*
 * Each appends one line to the log. Context: normal, or a thread that is about to end
 * the process; async-signal-safe. They share one buffer: one caller at a time.
 */
void ftsan_record_process(const struct ftsan_host *host,
			  const struct ftsan_options *options,
			  const struct ftsan_pyabi *abi, bool root);
void ftsan_record_engine(const struct ftsan_host *host, bool active, const char *reason,
			 bool canary);

/* The engine for array headers: watchpoints, or what stands in for them. */
void ftsan_record_watch(void);
/* ... and the one of the sampler. */
void ftsan_record_sampler(void);
/* ... and the one of freed memory. */
void ftsan_record_freed(void);
/* @detail: which modules, as the option has it; inactive: why. */
void ftsan_record_statics(bool active, const char *detail);
/* @last: what lives is counted, too; else the process goes on, and another will follow.
 */
void ftsan_record_coverage(const struct ftsan_host *host, const struct ftsan_pyabi *abi,
			   bool last);
/* A child of this process died of a signal. */
void ftsan_record_child(int pid, int signal);
void ftsan_record_end(const char *reason, int status);

#endif
