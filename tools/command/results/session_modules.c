#include "results/session_modules.h"

#include <stdlib.h>
#include <string.h>

#include "common/common.h"

void ftsan_session_module(struct ftsan_session *session, struct ftsan_source *source,
			  const char *path, const char *build_id)
{
	char *key = ftsan_xprintf("%s\n%s", path, build_id != NULL ? build_id : "");
	size_t number = ftsan_names_add(&session->module_keys, key, 1);
	struct ftsan_module_list *list = &source->modules;
	struct ftsan_module_entry *entry;

	free(key);
	if (number == session->n_modules) {
		session->modules =
			ftsan_xgrow(session->modules, session->n_modules,
				    &session->modules_capacity, sizeof(*entry));
		entry = &session->modules[session->n_modules++];
		entry->path = ftsan_xstrdup(path);
		entry->build_id = build_id != NULL && build_id[0] != '\0'
					  ? ftsan_xstrdup(build_id)
					  : NULL;
	}
	list->numbers =
		ftsan_xgrow(list->numbers, list->n, &list->capacity, sizeof(number));
	list->numbers[list->n++] = number;
}

/* Of @modules, or of all when @modules is NULL; @agree: gets whether there is but one. */
static const char *find_build_id(const struct ftsan_session *session,
				 const struct ftsan_module_list *modules,
				 const char *path, bool *agree)
{
	size_t n = modules != NULL ? modules->n : session->n_modules;
	const char *build_id = NULL;
	bool found = false;

	*agree = true;
	/* A module that was loaded again is there again: the last one counts. */
	for (size_t i = n; i-- > 0;) {
		const struct ftsan_module_entry *entry =
			&session->modules[modules != NULL ? modules->numbers[i] : i];

		if (strcmp(entry->path, path) != 0)
			continue;
		if (found)
			*agree = false;
		else
			build_id = entry->build_id;
		found = true;
	}
	return build_id;
}

const char *ftsan_session_build_id(const struct ftsan_session *session,
				   const struct ftsan_module_list *modules,
				   const char *path)
{
	const char *build_id = NULL;
	bool agree;

	if (modules != NULL)
		build_id = find_build_id(session, modules, path, &agree);
	if (build_id != NULL)
		return build_id;
	build_id = find_build_id(session, NULL, path, &agree);
	return agree ? build_id : NULL;
}
