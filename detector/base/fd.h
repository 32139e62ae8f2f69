/*
 * Descriptors of our own in a process that believes it knows all of its descriptors.
 *
 * Programs close and reuse every number (os.closerange). So ours sit high, are
 * close-on-exec, and before each use the file behind the number is compared with the
 * one that was opened: after the program took the number for a file of its own, a
 * write of ours must not land there.
 */
#ifndef FTSAN_BASE_FD_H
#define FTSAN_BASE_FD_H

#include <stdbool.h>
#include <stdint.h>

/* A zeroed one holds nothing. */
struct ftsan_fd {
	int number_plus_1;
	uint64_t device;
	uint64_t inode;
};

/*
 * Moves an open descriptor out of the way of the program's and makes it close-on-exec.
 * Return: its new number; the old one where there is no higher one. Async-signal-safe.
 */
int ftsan_fd_move_high(int raw);

/**
 * ftsan_fd_take() - move an open descriptor high and remember what it is
 * @fd:  overwritten
 * @raw: an open descriptor, consumed
 *
 * Context: async-signal-safe. Return: 0 or -errno.
 */
int ftsan_fd_take(struct ftsan_fd *fd, int raw);

/* The number, or -1 when the program has closed or replaced it. Async-signal-safe. */
int ftsan_fd_number(const struct ftsan_fd *fd);

/* Closes it if it is still ours. Async-signal-safe. */
void ftsan_fd_drop(struct ftsan_fd *fd);

#endif
