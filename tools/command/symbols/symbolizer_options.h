/* Where modules and their debug information are looked for. */
#ifndef FTSAN_TOOLS_SYMBOLIZER_OPTIONS_H
#define FTSAN_TOOLS_SYMBOLIZER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct ftsan_symbolizer_options - where to look; all-zero: where the log says
 * @sysroot:    NULL, or a directory that holds the other machine's files
 * @debug_dirs: @n_debug_dirs directories with .build-id/xx/yyy.debug, or with the files
 *              by name
 * @debuginfod: ask the servers of DEBUGINFOD_URLS for what is not here. Without this they
 *              are not asked, because findings would wait for the network
 */
struct ftsan_symbolizer_options {
	const char *sysroot;
	const char **debug_dirs;
	size_t n_debug_dirs;
	bool debuginfod;
};

#endif
