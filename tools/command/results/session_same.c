#include "results/session_same.h"

#include <string.h>

static long find_alias(const struct ftsan_session *session, const char *name)
{
	long alias = ftsan_names_find(&session->aliases, name);

	return alias == FTSAN_NO_NAME ? FTSAN_NO_NAME : (long)session->alias_of[alias];
}

long ftsan_session_find(const struct ftsan_session *session, const char *fingerprint,
			const char *also)
{
	long number = ftsan_names_find(&session->fingerprints, fingerprint);

	if (number == FTSAN_NO_NAME && also != NULL)
		number = ftsan_names_find(&session->fingerprints, also);
	return number != FTSAN_NO_NAME ? number : find_alias(session, fingerprint);
}

long ftsan_session_find_found(const struct ftsan_session *session,
			      const struct ftsan_found *found)
{
	return ftsan_session_find(session, found->fingerprint, found->also);
}

static void add_alias(struct ftsan_session *session, size_t number, const char *name)
{
	size_t known = session->aliases.n;

	if (name == NULL || strcmp(name, session->found[number].fingerprint) == 0 ||
	    ftsan_names_add(&session->aliases, name, 1) < known)
		return;
	session->alias_of =
		ftsan_xgrow(session->alias_of, known, &session->alias_capacity,
			    sizeof(*session->alias_of));
	session->alias_of[known] = number;
}

void ftsan_session_alias(struct ftsan_session *session, size_t number,
			 const char *fingerprint, const char *also)
{
	struct ftsan_found *found = &session->found[number];

	add_alias(session, number, fingerprint);
	add_alias(session, number, also);
	if (found->also == NULL && also != NULL && strcmp(also, found->fingerprint) != 0)
		found->also = ftsan_xstrdup(also);
}
