/*
 * libunwind without its pipe.
 *
 * libunwind checks addresses by writing a byte from there into a pipe of its own, which
 * it opens at its first use and keeps. Its descriptors would be the lowest free ones of
 * the program, and when the program closes every descriptor and opens its own files
 * under those numbers, libunwind would read from and write into these.
 */
#ifndef FTSAN_PRELOAD_UNWIND_PIPE_H
#define FTSAN_PRELOAD_UNWIND_PIPE_H

/*
 * Answers libunwind's pipe calls with ftsan_safe_read(): no descriptor, no system call.
 * @inside: an address in libunwind, which has not been used yet and has no lazy slots.
 * Context: activation.
 */
void ftsan_unwind_pipe_replace(const void *inside);

#endif
