/* Threads of the program: their beginning, their end, their number. */
#ifndef FTSAN_PRELOAD_HOOK_THREAD_H
#define FTSAN_PRELOAD_HOOK_THREAD_H

/* Takes in the calling thread as the program's first. Context: activation.
 * Return: 0 or -errno. */
int ftsan_thread_start(void);
/* The detector is told of it, too. Context: activation, once the detector is there. */
void ftsan_thread_begin_first(void);
/*
 * The same in a process that runs already, where the calling thread is one of ours that
 * will end; the program has @n threads. They have no alternate stack yet
 * (attach/visit.h).
 */
int ftsan_thread_start_attached(unsigned n);
/* The calling thread was there before: we are to hear of its end. In a signal handler. */
void ftsan_thread_adopt(void);
/* Undoes it. Context: an activation that failed. */
void ftsan_thread_stop(void);

#endif
