#include "doctor/checks.h"

#include <stdlib.h>
#include <string.h>

#include "common/common.h"

void ftsan_checks_add(struct ftsan_checks *checks, const char *name,
		      enum ftsan_health health, char *detail, const char *advice)
{
	checks->list = ftsan_xgrow(checks->list, checks->n, &checks->capacity,
				   sizeof(*checks->list));
	checks->list[checks->n++] =
		(struct ftsan_check){ftsan_xstrdup(name), health, detail, advice};
}

void ftsan_checks_release(struct ftsan_checks *checks)
{
	for (size_t i = 0; i < checks->n; i++) {
		free(checks->list[i].name);
		free(checks->list[i].detail);
	}
	free(checks->list);
	memset(checks, 0, sizeof(*checks));
}

enum ftsan_health ftsan_checks_health(const struct ftsan_checks *checks)
{
	enum ftsan_health worst = FTSAN_HEALTH_OK;

	for (size_t i = 0; i < checks->n; i++)
		if (checks->list[i].health > worst)
			worst = checks->list[i].health;
	/* A note is nothing wrong. */
	return worst == FTSAN_HEALTH_NOTE ? FTSAN_HEALTH_OK : worst;
}
