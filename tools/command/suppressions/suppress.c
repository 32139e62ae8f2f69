#include "suppressions/suppress.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base.h"
#include "common/common.h"

static bool matches(const struct ftsan_suppression *suppression, const char *text)
{
	return text != NULL && ftsan_pattern_matches(suppression->pattern, text);
}

/* Of a path, or of its last part: "^libfoo.so" means the file wherever it is. */
static bool matches_path(const struct ftsan_suppression *suppression, const char *path)
{
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;

	return matches(suppression, path) ||
	       (slash != NULL && matches(suppression, slash + 1));
}

static bool matches_frame(const struct ftsan_suppression *suppression,
			  const struct ftsan_view_frame *frame)
{
	return matches(suppression, frame->function) ||
	       matches_path(suppression, frame->file) ||
	       (!frame->python && matches_path(suppression, frame->module));
}

static bool is_access(const struct ftsan_view_stack *stack)
{
	return stack->role == NULL || strcmp(stack->role, "alloc") != 0;
}

/* libc's memmove and its like name nobody. */
static const struct ftsan_view_frame *top_frame(const struct ftsan_view_stack *stack,
						bool native)
{
	for (unsigned i = 0; i < stack->n_frames; i++)
		if (!ftsan_view_is_libc(&stack->frames[i]) &&
		    !(native && stack->frames[i].python))
			return &stack->frames[i];
	return NULL;
}

static bool matches_any_frame(const struct ftsan_suppression *suppression,
			      const struct ftsan_view *view)
{
	for (unsigned i = 0; i < view->n_stacks; i++)
		for (unsigned j = 0; j < view->stacks[i].n_frames; j++)
			if (matches_frame(suppression, &view->stacks[i].frames[j]))
				return true;
	return false;
}

static bool matches_top(const struct ftsan_suppression *suppression,
			const struct ftsan_view *view)
{
	for (unsigned i = 0; i < view->n_stacks; i++) {
		const struct ftsan_view_frame *frame = top_frame(&view->stacks[i], false);

		if (is_access(&view->stacks[i]) && frame != NULL &&
		    matches_frame(suppression, frame))
			return true;
	}
	return false;
}

static bool matches_module(const struct ftsan_suppression *suppression,
			   const struct ftsan_view *view)
{
	for (unsigned i = 0; i < view->n_stacks; i++) {
		const struct ftsan_view_frame *frame = top_frame(&view->stacks[i], true);

		if (is_access(&view->stacks[i]) && frame != NULL &&
		    matches_path(suppression, frame->module))
			return true;
	}
	return false;
}

static bool matches_tests(const struct ftsan_suppression *suppression,
			  const json_t *tests)
{
	const json_t *test;
	size_t i;

	json_array_foreach(tests, i, test)
	{
		if (matches(suppression, json_string_value(test)))
			return true;
	}
	return false;
}

static bool matches_finding(const struct ftsan_suppression *suppression,
			    const struct ftsan_view *view, const json_t *tests)
{
	switch (suppression->type) {
	case FTSAN_SUPPRESS_RACE:
		return matches_any_frame(suppression, view);
	case FTSAN_SUPPRESS_RACE_TOP:
		return matches_top(suppression, view);
	case FTSAN_SUPPRESS_MODULE:
		return matches_module(suppression, view);
	case FTSAN_SUPPRESS_TEST:
		return matches_tests(suppression, tests);
	case FTSAN_SUPPRESS_KIND:
		return matches(suppression, view->kind);
	case FTSAN_SUPPRESS_FINGERPRINT:
		return strcasecmp(suppression->pattern, view->fingerprint) == 0 ||
		       (view->also != NULL &&
			strcasecmp(suppression->pattern, view->also) == 0);
	default:
		return false;
	}
}

bool ftsan_suppressions_match(struct ftsan_suppressions *suppressions,
			      const struct ftsan_view *view, const json_t *tests)
{
	bool hidden = false;

	for (size_t i = 0; i < suppressions->n; i++) {
		struct ftsan_suppression *suppression = &suppressions->list[i];

		if (!matches_finding(suppression, view, tests))
			continue;
		ftsan_names_add(&suppression->matched, view->fingerprint, 1);
		hidden |= !suppression->expired;
	}
	return hidden;
}

bool ftsan_suppressions_match_tests(struct ftsan_suppressions *suppressions,
				    const char *fingerprint, const json_t *tests)
{
	bool hidden = false;

	for (size_t i = 0; i < suppressions->n; i++) {
		struct ftsan_suppression *suppression = &suppressions->list[i];

		if (suppression->type != FTSAN_SUPPRESS_TEST ||
		    !matches_tests(suppression, tests))
			continue;
		ftsan_names_add(&suppression->matched, fingerprint, 1);
		hidden |= !suppression->expired;
	}
	return hidden;
}

void ftsan_suppressions_release(struct ftsan_suppressions *suppressions)
{
	for (size_t i = 0; i < suppressions->n; i++) {
		free(suppressions->list[i].text);
		free(suppressions->list[i].pattern);
		free(suppressions->list[i].place);
		ftsan_names_release(&suppressions->list[i].matched);
	}
	free(suppressions->list);
	memset(suppressions, 0, sizeof(*suppressions));
}

const char *ftsan_today(void)
{
	static char text[32];
	time_t now = time(NULL);
	struct tm parts;

	if (gmtime_r(&now, &parts) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%d", &parts) == 0)
		text[0] = '\0';
	return text;
}

/* A name that a line of a file can hold: no control characters, no blanks at its ends. */
static bool is_writable(const char *text)
{
	size_t length = text != NULL ? strlen(text) : 0;

	if (length == 0 || text[0] == ' ' || text[length - 1] == ' ')
		return false;
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool is_fingerprint(const char *text)
{
	return strlen(text) == 16 && strspn(text, "0123456789abcdefABCDEF") == 16;
}

void ftsan_suppression_write(FILE *out, const struct ftsan_view *view)
{
	const struct ftsan_view_frame *frame = NULL;
	char *pattern;

	for (unsigned i = 0; i < view->n_stacks && frame == NULL; i++)
		if (is_access(&view->stacks[i]))
			frame = top_frame(&view->stacks[i], false);
	fputs("# ", out);
	ftsan_put_text(out, view->title != NULL ? view->title
						: ftsan_kind_headline(view->kind));
	if (frame != NULL && frame->function != NULL) {
		fputs(" in ", out);
		ftsan_put_text(out, frame->function);
	}
	fputc('\n', out);
	if (is_fingerprint(view->fingerprint))
		fprintf(out, "fingerprint:%s\n", view->fingerprint);
	else
		fputs("# its fingerprint is not ftsan's\n", out);
	if (frame == NULL || !is_writable(frame->function))
		return;
	pattern = ftsan_pattern_quote(frame->function);
	fprintf(out, "#race_top:%s\n", pattern);
	free(pattern);
}
