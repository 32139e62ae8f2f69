#include "statics/config.h"

struct static_config static_config; /* set once at start */
struct static_switch static_switch;

bool ftsan_statics_race(void)
{
	return ftsan_statics_on() && static_config.race;
}

bool ftsan_statics_on(void)
{
	return atomic_load_explicit(&static_switch.on, memory_order_acquire) &&
	       !atomic_load_explicit(&static_switch.halted, memory_order_relaxed);
}
