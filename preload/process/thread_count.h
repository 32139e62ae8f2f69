/* Threads of the program that have not ended, with the first one; not ours. */
#ifndef FTSAN_PRELOAD_THREAD_COUNT_H
#define FTSAN_PRELOAD_THREAD_COUNT_H

unsigned ftsan_thread_count(void);

/* In the child of a fork the calling thread is the only one; after an attach, those that
 * there are. */
void ftsan_thread_count_set(unsigned n);

/* @n more, or less; how many there are then. */
unsigned ftsan_thread_count_add(int n);

#endif
