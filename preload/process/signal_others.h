/*
 * The masks of signals that are not ours: a handler of the program's that met a guarded
 * page while one of ours is blocked would be killed. What is stripped of a mask is
 * remembered, and reported back.
 */
#ifndef FTSAN_PRELOAD_SIGNAL_OTHERS_H
#define FTSAN_PRELOAD_SIGNAL_OTHERS_H

#include <signal.h>

/* sigaction() for a signal that is not owned; its mask is stripped, and remembered. */
int ftsan_signal_set_other(int sig, const struct sigaction *act, struct sigaction *old);
/* Puts what was stripped of @sig's mask back. */
void ftsan_signal_restore_other(int sig);

/* libc has set an action of @sig whose mask holds nothing of ours. */
void ftsan_signal_forget_other(int sig);

#endif
