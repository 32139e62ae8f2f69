/* The room's own: what the engine goes by, and whether it is on. */
#ifndef FTSAN_STATICS_CONFIG_H
#define FTSAN_STATICS_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "rules/rules.h"
#include "stacks/stacks.h"
#include "statics/statics.h"

/* Set once at start. */
struct static_config {
	bool latent, race;
	bool free_threaded;
	enum ftsan_grade grade;
	bool inventory;
	bool ending;
	uint64_t window_ns;
	uint32_t windows;
	uint32_t budget_percent;
	uint64_t began_ns;
	const struct ftsan_module *interpreter;
	const struct ftsan_static_host *host;
};
extern struct static_config static_config;

/* The engine has started; and is at rest, for a detach. */
struct static_switch {
	_Atomic bool on, halted;
};
extern struct static_switch static_switch;

#endif
