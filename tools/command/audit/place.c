#include "audit/place.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/common.h"
#include "log/log.h"
#include "view/view.h"

bool ftsan_audit_find_place(const struct ftsan_audit_names *names, const json_t *record,
			    const char *key, struct ftsan_audit_place *place)
{
	char *module = ftsan_xprintf("%s_module", key);
	char *offset = ftsan_xprintf("%s_offset", key);

	memset(place, 0, sizeof(*place));
	place->module = ftsan_member_text(record, module);
	place->offset = ftsan_member_address(record, offset);
	free(module);
	free(offset);
	if (place->module[0] == '\0')
		return false;
	names->code(names->argument, place->module, place->offset, &place->code);
	return true;
}

char *ftsan_audit_place_text(const struct ftsan_audit_place *place, uint64_t start)
{
	if (place->code.function != NULL)
		return ftsan_clean_text(place->code.function);
	return ftsan_xprintf("%s+0x%" PRIx64, ftsan_str_base_name(place->module),
			     start != 0 ? start : place->offset);
}

const char *const ftsan_audit_callers[FTSAN_AUDIT_CALLERS] = {"caller", "caller2",
							      "caller3", "caller4"};

static bool is_nobody(const struct ftsan_audit_place *place)
{
	const struct ftsan_view_frame frame = {.module = place->module};

	return ftsan_view_is_libc(&frame);
}

void ftsan_audit_find_writer(const struct ftsan_audit_names *names, const json_t *record,
			     struct ftsan_audit_place *writer, unsigned *outer,
			     uint64_t *start)
{
	struct ftsan_audit_place caller;

	*outer = 0;
	*start = ftsan_member_address(record, "by_start");
	(void)ftsan_audit_find_place(names, record, "by", writer);
	if (!is_nobody(writer))
		return;
	for (unsigned i = 0; i < FTSAN_AUDIT_CALLERS; i++) {
		if (!ftsan_audit_find_place(names, record, ftsan_audit_callers[i],
					    &caller) ||
		    is_nobody(&caller))
			continue;
		*writer = caller;
		*outer = i + 1;
		*start = 0;
		return;
	}
}

char *ftsan_audit_lock_text(const struct ftsan_audit_names *names, const json_t *record)
{
	const char *kind = ftsan_member_text(record, "lock");
	const char *module = ftsan_member_text(record, "lock_module");
	const char *name = NULL;
	struct ftsan_audit_place taken;
	char *by, *text;

	if (module[0] != '\0')
		name = names->data(names->argument, module,
				   ftsan_member_address(record, "lock_offset"));
	if (name != NULL)
		return ftsan_xprintf("%s '%s'", kind, name);
	/* Where the interpreter, or code that Cython made, takes Python's says nothing. */
	if (strncmp(kind, "threading.", strlen("threading.")) == 0 ||
	    !ftsan_audit_find_place(names, record, "taken", &taken) ||
	    ftsan_view_is_interpreter(&(struct ftsan_view_frame){.module = taken.module}))
		return ftsan_xstrdup(kind);
	by = ftsan_audit_place_text(&taken, 0);
	text = ftsan_xprintf("%s taken in %s", kind, by);
	free(by);
	return text;
}
