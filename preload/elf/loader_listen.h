/*
 * What rooms above want to be told of the loader, each by a constant of its own that
 * ftsan_dl_init() is given: lower code knows none of them.
 */
#ifndef FTSAN_PRELOAD_LOADER_LISTEN_H
#define FTSAN_PRELOAD_LOADER_LISTEN_H

/**
 * struct ftsan_loader_listener - NULL: not of interest
 * @start:  imports are about to be redirected; at an activation or an attach, there twice
 * @update: imports were redirected; further objects may have come
 * @stop:   imports were given back
 * @before_close, @after_close: around a dlclose
 *
 * Context of all: normal context, by a thread that has the loader lock of hook_dl.c (but
 * for @start and the last two, when it could not be had in time).
 */
struct ftsan_loader_listener {
	void (*start)(void);
	void (*update)(void);
	void (*stop)(void);
	void (*before_close)(void);
	void (*after_close)(void);
};

#endif
