/*
 * A screen that shows a run while it goes on: what was found, what is watched, and which
 * functions of which modules ran. Plain ANSI (ECMA-48) sequences; where stderr is no
 * terminal there is none, and lines are printed as without it.
 */
#ifndef FTSAN_TOOLS_SCREEN_H
#define FTSAN_TOOLS_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

#include "live/glance.h"

/**
 * struct ftsan_screen - zeroed at first
 * @shown:    the terminal is ours until ftsan_screen_end()
 * @title:    what is looked at; borrowed
 * @began, @updated: seconds, of ftsan_seconds()
 * @lines:    fingerprints of the findings, in the order they came
 * @sentences: of each, the line; owned
 */
struct ftsan_screen {
	bool shown;
	const char *title;
	double began, updated;
	struct ftsan_names lines;
	char **sentences;
	size_t capacity;
	struct ftsan_glance glance;
};

/* struct ftsan_screen_size - of the terminal, in characters */
struct ftsan_screen_size {
	unsigned columns, rows;
};

/**
 * ftsan_screen_begin() - take the terminal, if there is one: stdout and stderr
 * @title:   borrowed until the end
 * @printer: its lines go to the screen from here on, until the caller takes that back
 */
void ftsan_screen_begin(struct ftsan_screen *screen, const char *title,
			struct ftsan_printer *printer);

/* Twice a second at most. */
void ftsan_screen_update(struct ftsan_screen *screen, const struct ftsan_follow *follow);

/* Gives the terminal back as it was. */
void ftsan_screen_end(struct ftsan_screen *screen);

/* What is on it: at most @size->rows lines, none wider than @size->columns. Pure. */
void ftsan_screen_write(FILE *out, const struct ftsan_screen *screen,
			const struct ftsan_session *session, double seconds,
			struct ftsan_screen_size size);

#endif
