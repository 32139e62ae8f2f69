/*
 * Following: libftsan.so goes with the program's children, whatever environment they are
 * given (tox and subprocess make their own), unless follow=0.
 *
 * Nothing here allocates, and nothing of ours is written: a child between vfork and exec
 * runs in its parent's memory.
 */
#ifndef FTSAN_PRELOAD_FOLLOW_H
#define FTSAN_PRELOAD_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>

/* Remembers what the process was started with. Context: activation. @follow: the option.
 */
void ftsan_follow_start(bool follow);

/**
 * ftsan_follow_room() - what a child's environment lacks of ours
 * @path: of its program, to be named where the child is lost
 * @envp: may be NULL
 * @text_bytes: gets the room that texts need
 *
 * Context: any, also a vfork child. Return: pointers that the full environment has, its
 * NULL included; 0: it lacks nothing, or is to stay as it is (then the child is counted).
 */
size_t ftsan_follow_room(const char *path, char *const envp[], size_t *text_bytes);

/**
 * ftsan_follow_fill() - the full environment
 * @to:   room for what ftsan_follow_room() said
 * @text: the same; borrowed by @to
 */
void ftsan_follow_fill(char **to, char *text, char *const envp[]);

#endif
