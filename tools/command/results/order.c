#include "results/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "results/session_found.h"

/* What ends processes or corrupts memory comes before what may. */
static int kind_rank(const char *kind)
{
	static const char *const ranks[] = {"hazard",	"no-exception",	  "race",
					    "bad-code", "use-after-free", "hang",
					    "crash"};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(ranks); i++)
		if (strcmp(kind, ranks[i]) == 0)
			return (int)i + 1;
	return 0;
}

int ftsan_found_compare(const struct ftsan_found *one, const struct ftsan_found *two)
{
	int kinds = kind_rank(two->kind) - kind_rank(one->kind);
	int proofs = ftsan_confidence_rank(two->confidence) -
		     ftsan_confidence_rank(one->confidence);
	uint64_t left = ftsan_found_count(one), right = ftsan_found_count(two);

	if (kinds != 0)
		return kinds;
	if (proofs != 0)
		return proofs;
	if (left != right)
		return left > right ? -1 : 1;
	return strcmp(one->fingerprint, two->fingerprint);
}

static int compare(const void *a, const void *b)
{
	return ftsan_found_compare(*(const struct ftsan_found *const *)a,
				   *(const struct ftsan_found *const *)b);
}

const struct ftsan_found **ftsan_session_ordered(const struct ftsan_session *session,
						 size_t *n)
{
	const struct ftsan_found **list = ftsan_xcalloc(session->n_found, sizeof(*list));

	*n = 0;
	for (size_t i = 0; i < session->n_found; i++)
		if (ftsan_found_shown(&session->found[i]))
			list[(*n)++] = &session->found[i];
	qsort(list, *n, sizeof(*list), compare);
	return list;
}
