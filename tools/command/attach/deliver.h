/*
 * Requests to the libftsan.so in another process, and its answers: see
 * preload/attach/attach.h for what is in the files.
 */
#ifndef FTSAN_TOOLS_DELIVER_H
#define FTSAN_TOOLS_DELIVER_H

#include <stdbool.h>

#include "attach/target.h"

/* How the request gets into the process. */
enum ftsan_way {
	FTSAN_WAY_AUTO,	  /* by sys.remote_exec where there is one, else by ptrace */
	FTSAN_WAY_PTRACE, /* inject.h */
	FTSAN_WAY_REMOTE, /* sys.remote_exec (3.14): CPython runs a script of ours */
};

/**
 * struct ftsan_delivery - a request
 * @function: ftsan_attach or ftsan_detach
 * @options, @run: of the request, NULL: none
 * @python:   who calls sys.remote_exec; NULL: the process's own executable
 * @seconds:  bound on the wait for a thread, and thrice on the answer
 */
struct ftsan_delivery {
	const char *library;
	const char *function;
	const char *options;
	const char *run;
	enum ftsan_way way;
	const char *python;
	unsigned seconds;
};

/**
 * ftsan_deliver() - have it done
 * @answer: gets the words behind "done: ", malloc'ed
 *
 * When there is no answer in time, the request is withdrawn: it does nothing then when it
 * is read later on. Return: 0; -errno: it failed, and the reason was printed.
 */
int ftsan_deliver(const struct ftsan_target *target,
		  const struct ftsan_delivery *delivery, char **answer);

#endif
