/* The room's own: names and sentences for reports. */
#ifndef FTSAN_STATICS_REPORT_TEXT_H
#define FTSAN_STATICS_REPORT_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "stacks/stacks.h"
#include "statics/table.h"

struct static_store;

/* "mt_rand[3]" (the fourth word), or "+0x1234" in its file. Costs a look at symbol
 * tables. */
void static_name_variable(struct ftsan_buf *out, const struct static_module *module,
			  uintptr_t address);
/* ... and "static data of _m.so", as the memory is called in a report. */
void static_describe_variable(struct ftsan_buf *name, struct ftsan_buf *description,
			      const struct static_module *module, uintptr_t address);
/* The file's name without its directories. Borrowed. */
const char *static_module_name(const struct static_module *module);
/* The function that is to be blamed: the innermost one that is not libc's. */
void static_name_function(struct ftsan_buf *out, const struct ftsan_stack *stack);
/* "pthread mutex 'lock' taken in f (m.so)", ... */
void static_name_lock(struct ftsan_buf *out, uint8_t kind, uintptr_t address,
		      uintptr_t pc);
/* The locks of @store that don't count. */
void static_put_outer_locks(struct ftsan_buf *out, const struct static_store *store);

/* What is said of a race that @held, made with @stack, had part in. */
struct static_race_texts {
	char title[512], note[400], description[160], name[FTSAN_SYMBOL_MAX + 32];
};
void static_race_texts(struct static_race_texts *texts, const struct static_store *held,
		       const struct ftsan_stack *stack, enum ftsan_static_pair pair);

#endif
