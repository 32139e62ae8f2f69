/* Errors of system calls that only a tracer sees. */
#ifndef FTSAN_TOOLS_KERNEL_ERRORS_H
#define FTSAN_TOOLS_KERNEL_ERRORS_H

/* The kernel's, for calls that a stop has interrupted (include/linux/errno.h). */
enum {
	FTSAN_RESTARTSYS = 512,
	FTSAN_RESTARTNOINTR = 513,
	FTSAN_RESTARTNOHAND = 514,
	FTSAN_RESTART_BLOCK = 516,
};

#endif
