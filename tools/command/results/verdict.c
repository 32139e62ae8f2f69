#include "results/verdict.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "common/common.h"

enum ftsan_sight ftsan_sight_judge(const struct ftsan_sight_question *q)
{
	if (!q->python_known)
		return FTSAN_BLIND_PYTHON;
	if (q->engines_off)
		return FTSAN_BLIND_ENGINES;
	/* Be it suppressed: who found was not blind. */
	if (q->findings > 0)
		return FTSAN_SEES;
	if (!q->told)
		return FTSAN_BLIND_UNTOLD;
	if (q->anytime > 0 || (q->race > 0 && !q->gil_on && q->threads > 1))
		return FTSAN_SEES;
	if (q->extensions == 0)
		return FTSAN_BLIND_NO_EXTENSION;
	if (q->gil_on && !q->latent)
		return FTSAN_BLIND_GIL;
	if (!q->numpy)
		return q->sampled && !q->latent ? FTSAN_BLIND_ONE_IN_CODE
						: FTSAN_BLIND_NOT_COVERED;
	if (!q->latent && q->threads < 2)
		return FTSAN_BLIND_ONE_THREAD;
	return q->buffers_seen == 0 ? FTSAN_BLIND_NO_ARRAY : FTSAN_BLIND_SHORT;
}

enum ftsan_verdict ftsan_verdict_judge(const struct ftsan_verdict_question *q)
{
	if (q->findings > 0)
		return FTSAN_VERDICT_FOUND;
	return q->seeing > 0 ? FTSAN_VERDICT_CLEAN : FTSAN_VERDICT_NOTHING_WATCHED;
}

enum ftsan_verdict ftsan_verdict_of(const struct ftsan_session *session)
{
	struct ftsan_verdict_question question = {
		.findings = session->n_shown,
		.seeing = session->coverage.sights[FTSAN_SEES],
	};

	return ftsan_verdict_judge(&question);
}

const char *ftsan_verdict_word(enum ftsan_verdict verdict)
{
	static const char *const words[] = {
		[FTSAN_VERDICT_FOUND] = "found",
		[FTSAN_VERDICT_CLEAN] = "clean",
		[FTSAN_VERDICT_NOTHING_WATCHED] = "nothing-watched",
	};

	return words[verdict];
}

/* --- in words ------------------------------------------------------------------------
 */

static void put_all_watched(FILE *out, const struct ftsan_session *session)
{
	const struct ftsan_names *watched = &session->coverage.watched;
	size_t hidden = session->n_found - session->n_shown;

	fputs("CLEAN (", out);
	for (size_t i = 0; i < watched->n; i++) {
		fputs(i > 0 ? ", " : "watched: ", out);
		ftsan_put_counted(out, watched->texts[i], watched->counts[i]);
	}
	if (hidden > 0)
		fprintf(out, "%s%zu %s suppressed", watched->n > 0 ? "; " : "", hidden,
			ftsan_plural(hidden, "finding", "findings"));
	fputc(')', out);
}

/* "CPython 3.16.0 is not known to this ftsan", for each of them. */
static void put_refused(FILE *out, const struct ftsan_names *refused)
{
	for (size_t i = 0; i < refused->n; i++) {
		fputs(i > 0 ? ", " : "", out);
		ftsan_put_text(out, refused->texts[i]);
	}
}

static void put_extensions(FILE *out, const struct ftsan_names *extensions)
{
	enum { NAMED = 5 };

	for (size_t i = 0; i < extensions->n && i < NAMED; i++) {
		fputs(i > 0 ? ", " : "loaded: ", out);
		ftsan_put_text(out, extensions->texts[i]);
	}
	fputs(extensions->n > NAMED ? ", ...)" : ")", out);
}

static void put_not_covered(FILE *out, const struct ftsan_names *extensions)
{
	fputs("no extension module that ftsan covers was loaded (", out);
	put_extensions(out, extensions);
	fputs(": it watches arrays of NumPy and code objects of Cython modules", out);
}

static void put_one_in_code(FILE *out, const struct ftsan_names *extensions)
{
	fputs("no more than one thread was seen in code of extension modules (", out);
	put_extensions(out, extensions);
	fputs(", and a race takes two: call it from several threads (pytest "
	      "--parallel-threads=4), or look for hazards with --options mode=latent, "
	      "which need one thread only",
	      out);
}

static void put_engines(FILE *out, const struct ftsan_session *session)
{
	fputs("no engine was active", out);
	for (size_t i = 0; i < session->n_engines; i++) {
		if (session->engines[i].active)
			continue;
		fputs(": ", out);
		ftsan_put_text(out, session->engines[i].reason);
		break;
	}
	fputs("; `ftsan doctor` knows more", out);
}

static void put_reason(FILE *out, enum ftsan_sight why,
		       const struct ftsan_session *session)
{
	static const char *const texts[FTSAN_SIGHTS] = {
		[FTSAN_BLIND_UNTOLD] =
			"the process ended before it told what it had watched",
		[FTSAN_BLIND_GIL] =
			"the GIL was on, so threads took turns: run it with a "
			"free-threaded CPython and without --keep-gil, or look for "
			"hazards with --options mode=latent, which need no threads",
		[FTSAN_BLIND_NO_ARRAY] =
			"NumPy was loaded, and no array of it was used where ftsan "
			"looks; `ftsan doctor` tells whether it can",
		[FTSAN_BLIND_SHORT] =
			"no array was watched: those that there were lived for less than "
			"a millisecond each, or were there before ftsan came",
		[FTSAN_BLIND_ONE_THREAD] =
			"only one thread worked with arrays, and a race takes two: run "
			"the code in threads (pytest --parallel-threads=4), or look for "
			"hazards with --options mode=latent, which need one thread only",
		[FTSAN_BLIND_NO_EXTENSION] =
			"no extension module was loaded: does the command import what it "
			"is to test?",
	};

	if (why == FTSAN_BLIND_PYTHON) {
		put_refused(out, &session->coverage.refused);
		fputs(": update ftsan, or take a CPython that it knows (`ftsan doctor "
		      "PYTHON`)",
		      out);
	} else if (why == FTSAN_BLIND_ENGINES) {
		put_engines(out, session);
	} else if (why == FTSAN_BLIND_ONE_IN_CODE) {
		put_one_in_code(out, &session->coverage.extensions);
	} else if (why == FTSAN_BLIND_NOT_COVERED) {
		put_not_covered(out, &session->coverage.extensions);
	} else {
		fputs(texts[why], out);
	}
}

/* The gravest reason that there was; FTSAN_SEES: none, as there was no process. */
static enum ftsan_sight gravest(const struct ftsan_coverage *coverage)
{
	for (int why = FTSAN_SEES + 1; why < FTSAN_SIGHTS; why++)
		if (coverage->sights[why] > 0)
			return (enum ftsan_sight)why;
	return FTSAN_SEES;
}

static void put_children_lost(FILE *out, const struct ftsan_coverage *coverage)
{
	const struct ftsan_names *names = &coverage->children_lost;

	fprintf(out, "%llu %s started without ftsan (",
		(unsigned long long)coverage->n_children_lost,
		ftsan_plural(coverage->n_children_lost, "child was", "children were"));
	for (size_t i = 0; i < names->n; i++) {
		fputs(i > 0 ? ", " : "", out);
		ftsan_put_text(out, names->texts[i]);
	}
	fputs("; follow=0, or an environment of its own that is too large)", out);
}

static void put_nothing(FILE *out, const struct ftsan_session *session,
			const char *nothing)
{
	enum ftsan_sight why = gravest(&session->coverage);

	fputs("NOTHING WATCHED (", out);
	if (why == FTSAN_SEES)
		fputs(nothing, out);
	else
		put_reason(out, why, session);
	if (session->coverage.n_children_lost > 0) {
		fputs("; ", out);
		put_children_lost(out, &session->coverage);
	}
	fputc(')', out);
}

void ftsan_verdict_write(FILE *out, const struct ftsan_session *session,
			 const char *nothing)
{
	switch (ftsan_verdict_of(session)) {
	case FTSAN_VERDICT_FOUND:
		fprintf(out, "FOUND %zu %s", session->n_shown,
			ftsan_plural(session->n_shown, "bug", "bugs"));
		break;
	case FTSAN_VERDICT_CLEAN:
		put_all_watched(out, session);
		break;
	default:
		put_nothing(out, session, nothing);
		break;
	}
}

/* What was written to a memory stream; out of memory: nothing was. */
static char *finished(FILE *out, char **text)
{
	if (out == NULL || fclose(out) != 0 || *text == NULL)
		return ftsan_xstrdup("");
	return *text;
}

char *ftsan_verdict_text(const struct ftsan_session *session, const char *nothing)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (out != NULL)
		ftsan_verdict_write(out, session, nothing);
	return finished(out, &text);
}

static bool has_engine(const struct ftsan_session *session, const char *name)
{
	for (size_t i = 0; i < session->n_engines; i++)
		if (session->engines[i].active &&
		    strcmp(session->engines[i].name, name) == 0)
			return true;
	return false;
}

/* modules=cpython: its code is among what was sampled. */
static bool has_interpreter(const struct ftsan_session *session)
{
	const struct ftsan_names *paths = &session->coverage.module_paths;

	for (size_t i = 0; i < paths->n; i++) {
		const struct ftsan_view_frame frame = {.module = paths->texts[i]};

		if (ftsan_view_is_interpreter(&frame))
			return true;
	}
	return false;
}

void ftsan_verdict_write_unwatched(FILE *out, const struct ftsan_session *session)
{
	static const struct {
		const char *engine, *other, *words;
	} memory[] = {
		{"sampler", "sampler",
		 "array data, fields of objects, the heaps of extensions"},
		/* The sampler sees statics as any other memory. */
		{"statics", "sampler", "static variables of extensions"},
		{"watch", "watch", "the headers of arrays"},
		{"guard", "guard", "the shapes and strides of arrays"},
	};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(memory); i++)
		if (!has_engine(session, memory[i].engine) &&
		    !has_engine(session, memory[i].other))
			fprintf(out, "%s, ", memory[i].words);
	fputs("reference counts", out);
	if (!has_interpreter(session))
		fputs(", the interpreter's own memory", out);
}

char *ftsan_verdict_unwatched(const struct ftsan_session *session)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (out != NULL)
		ftsan_verdict_write_unwatched(out, session);
	return finished(out, &text);
}

void ftsan_verdict_write_blind(FILE *out, const struct ftsan_session *session)
{
	static const enum ftsan_sight grave[] = {FTSAN_BLIND_PYTHON, FTSAN_BLIND_ENGINES,
						 FTSAN_BLIND_GIL};
	const uint64_t *sights = session->coverage.sights;

	if (session->coverage.n_children_lost > 0) {
		fputs("ftsan: NOT WATCHED: ", out);
		put_children_lost(out, &session->coverage);
		fputc('\n', out);
	}
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(grave) && sights[FTSAN_SEES] > 0; i++) {
		if (sights[grave[i]] == 0)
			continue;
		fprintf(out, "ftsan: NOTHING WATCHED in %llu of %llu processes (",
			(unsigned long long)sights[grave[i]],
			(unsigned long long)session->n_processes);
		put_reason(out, grave[i], session);
		fputs(")\n", out);
	}
}
