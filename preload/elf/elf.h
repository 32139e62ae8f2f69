/*
 * The room of objects in memory: import slots and their redirection, what dlopen finds
 * and what it brings, and the libraries that we load for ourselves.
 *
 * May use: hooks, the detector. A thread that is in dlopen or dlclose holds the loader
 * lock of hook_dl.c, outside of the loader's own, for a bounded time.
 */
#ifndef FTSAN_PRELOAD_ELF_H
#define FTSAN_PRELOAD_ELF_H

#include "elf/got.h"
#include "elf/hook_dl.h"
#include "elf/loader_listen.h"
#include "elf/providers.h"
#include "elf/writable.h"

#endif
