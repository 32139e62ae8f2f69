#include "results/brief.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/common.h"
#include "results/brief_stack.h"
#include "results/explain.h"
#include "results/fold.h"
#include "results/session_found.h"
#include "symbols/symbols.h"

/* --- the memory ------------------------------------------------------------------- */

void ftsan_put_shape(FILE *out, const struct ftsan_view *view)
{
	if (view->n_shape < 0 || view->n_shape > FTSAN_VIEW_DIMS_MAX)
		return;
	fputs(", shape (", out);
	for (int i = 0; i < view->n_shape; i++)
		fprintf(out, "%s%" PRId64, i > 0 ? ", " : "", view->shape[i]);
	fputs(view->n_shape == 1 ? ",)" : ")", out);
}

/* The innermost place that is not the interpreter's. */
static void put_origin(FILE *out, const struct ftsan_view *view, const char *directory)
{
	for (unsigned i = 0; i < view->n_stacks; i++) {
		const struct ftsan_view_stack *stack = &view->stacks[i];
		struct ftsan_fold fold;

		if (!ftsan_str_equal(stack->role, "alloc") || stack->n_frames == 0)
			continue;
		ftsan_fold_stack(&fold, stack);
		if (fold.n == 0)
			return;
		fputs("; made in ", out);
		ftsan_put_text(
			out,
			ftsan_str_some(stack->frames[fold.shown[fold.n - 1]].function)
				? stack->frames[fold.shown[fold.n - 1]].function
				: "<unknown>");
		ftsan_brief_place(out, &stack->frames[fold.shown[fold.n - 1]], directory);
		return;
	}
}

static void put_memory(FILE *out, const struct ftsan_view *view, const char *directory)
{
	if (!ftsan_str_some(view->description) && !ftsan_str_some(view->name) &&
	    view->address == 0)
		return;
	fputs("  Location is ", out);
	ftsan_put_text(out,
		       ftsan_str_some(view->description) ? view->description : "memory");
	if (ftsan_str_some(view->name)) {
		fputs(", ", out);
		ftsan_put_text(out, view->name);
	}
	if (ftsan_str_some(view->member)) {
		fputs(", which is ", out);
		ftsan_put_text(out, view->member);
	}
	if (view->has_old || view->has_new) {
		fputc(' ', out);
		ftsan_explain_values(out, view);
	}
	if (view->address != 0)
		fprintf(out, " at 0x%" PRIx64, view->address);
	ftsan_put_shape(out, view);
	if (ftsan_str_some(view->dtype)) {
		fputs(", dtype ", out);
		ftsan_put_text(out, view->dtype);
	}
	put_origin(out, view, directory);
	fputs(".\n", out);
}

/* --- what is known of it beyond this record ----------------------------------------- */

static void put_names(FILE *out, const struct ftsan_names *names, size_t most)
{
	for (size_t i = 0; i < names->n && i < most; i++) {
		fputs(i > 0 ? ", " : "", out);
		ftsan_put_text(out, names->texts[i]);
	}
	if (names->n > most)
		fprintf(out, " and %zu more", names->n - most);
}

/* How often, and what was seen besides what is shown; nothing of what occurred once. */
static void put_evidence(FILE *out, const struct ftsan_found *found)
{
	enum { SHOWN = 3 };
	uint64_t count = ftsan_found_count(found);

	if (count < 2)
		return;
	fprintf(out, "  Occurred %" PRIu64 " times in %" PRIu64 " %s", count,
		found->processes, ftsan_plural(found->processes, "process", "processes"));
	if (found->first > 0 && found->processes > 1) {
		fputs(", first ", out);
		ftsan_put_time(out, found->first);
		fputs(", last ", out);
		ftsan_put_time(out, found->last);
	}
	for (size_t i = 0; found->evidence.n > 1 && i < found->evidence.n && i < SHOWN;
	     i++) {
		char *text = ftsan_demangle_text(found->evidence.texts[i]);

		fputs(i > 0 ? "; " : ": ", out);
		ftsan_put_text(out, text);
		free(text);
	}
	if (found->evidence.n > SHOWN)
		fprintf(out, "; and %zu more", found->evidence.n - SHOWN);
	fputs(".\n", out);
}

/* A program that was given by -c has lines: the first one of it. */
static void put_command(FILE *out, const char *command)
{
	size_t length = strcspn(command, "\n");
	const char *line = command + length;

	ftsan_put_text_n(out, command, length);
	if (*line == '\0')
		return;
	/* Code between triple quotes begins with the end of a line. */
	if (length > 0 && command[length - 1] == '\'') {
		line += strspn(line, "\n");
		ftsan_put_text_n(out, line, strcspn(line, "\n'"));
	}
	fputs(" ...'", out);
}

static void put_again(FILE *out, const struct ftsan_view *view,
		      const struct ftsan_brief *brief)
{
	const struct ftsan_found *found = brief->found;
	bool latent = ftsan_str_equal(view->confidence, "latent");

	if (found != NULL && found->tests.n > 0) {
		fputs("  Again:    pytest --ftsan", out);
		fputs(latent ? " --ftsan-options=mode=latent '" : " '", out);
		ftsan_put_text(out, found->tests.texts[0]);
		fputs("'\n", out);
	} else if (ftsan_str_some(brief->command)) {
		fputs("  Again:    ftsan run", out);
		fputs(latent ? " --options mode=latent -- " : " -- ", out);
		put_command(out, brief->command);
		fputc('\n', out);
	}
}

static void put_tests(FILE *out, const struct ftsan_found *found)
{
	enum { NAMED_MAX = 5 };

	if (found == NULL)
		return;
	if (found->tests.n == 0) {
		if (found->between)
			fputs("  In no test: none was running (collection, imports, or "
			      "between tests).\n",
			      out);
		return;
	}
	fputs("  In the tests ", out);
	put_names(out, &found->tests, NAMED_MAX);
	fputs(".\n", out);
}

/* The words of ThreadSanitizer's last line, for those who look for them. */
static void put_summary(FILE *out, const struct ftsan_view *view, const char *directory)
{
	struct ftsan_fold fold = {.n = 0};
	const struct ftsan_view_frame *frame;

	fputs("SUMMARY: ftsan: ", out);
	ftsan_put_text(out, ftsan_view_headline(view));
	if (view->n_stacks > 0)
		ftsan_fold_stack(&fold, &view->stacks[0]);
	for (unsigned i = 0; i < fold.n; i++) {
		frame = &view->stacks[0].frames[fold.shown[i]];
		if (!frame->python && i + 1 < fold.n && !ftsan_str_some(frame->file))
			continue;
		ftsan_brief_place(out, frame, directory);
		break;
	}
	fputs(" in ", out);
	ftsan_explain_culprit(out, view);
	if (ftsan_str_some(view->fingerprint)) {
		fputs(" [", out);
		ftsan_put_text(out, view->fingerprint);
		fputc(']', out);
	}
	fputc('\n', out);
}

/* One line for each thread that is only told of. */
static void put_others(FILE *out, const struct ftsan_view *view, unsigned from)
{
	enum { OTHERS = 12 };
	const struct ftsan_view_death *death = view->death;
	unsigned last = view->n_stacks < from + OTHERS ? view->n_stacks : from + OTHERS;

	if (from < last)
		fputs("  Meanwhile:\n", out);
	for (unsigned i = from; i < last; i++) {
		const struct ftsan_view_stack *stack = &view->stacks[i];

		fputs("   ", out);
		ftsan_brief_thread(out, stack, view->pid);
		ftsan_brief_operation(out, stack);
		fputc('\n', out);
	}
	if (view->n_stacks - last + death->untold > 0)
		fprintf(out, "    %u more threads (the log has their stacks)\n",
			view->n_stacks - last + death->untold);
	if (death->n_silent > 0)
		fprintf(out, "    %u threads that did not answer in time, such as %d\n",
			death->n_silent, death->silent[0]);
}

void ftsan_brief_write(FILE *out, const struct ftsan_view *view,
		       const struct ftsan_brief *brief)
{
	enum { STACKS = 2 };
	const struct ftsan_view_death *death = view->death;
	unsigned shown = 0, most = death != NULL && death->n_guilty < STACKS
					   ? death->n_guilty
					   : STACKS;

	fputs("WARNING: ftsan: ", out);
	ftsan_put_text(out, ftsan_view_headline(view));
	fprintf(out, " (pid=%d)\n  ", view->pid);
	ftsan_explain_what(out, view);
	fputc('\n', out);
	put_tests(out, brief->found);
	for (unsigned i = 0; i < view->n_stacks && shown < most; i++) {
		if (ftsan_str_equal(view->stacks[i].role, "alloc"))
			continue;
		ftsan_brief_stack(out, view, i, brief->directory);
		shown++;
	}
	if (death != NULL) {
		put_others(out, view, most);
		fputs("  Cause:    ", out);
		ftsan_explain_harm(out, view);
	} else {
		put_memory(out, view, brief->directory);
		fputs("  Danger:   ", out);
		ftsan_explain_harm(out, view);
		fputs("\n  Remedy:   ", out);
		ftsan_explain_remedy(out, view);
	}
	fputc('\n', out);
	put_again(out, view, brief);
	if (brief->found != NULL)
		put_evidence(out, brief->found);
	if (ftsan_str_some(brief->news))
		fprintf(out, "  Compared with the baseline: %s.\n", brief->news);
	fputs("  Confidence ", out);
	ftsan_put_text(out,
		       ftsan_str_some(view->confidence) ? view->confidence : "unknown");
	if (ftsan_str_some(view->grade)) {
		fputs(", grade ", out);
		ftsan_put_text(out, view->grade);
	}
	if (view->gil_forced)
		fputs("; the GIL was kept off although a module asked for it", out);
	fputs(".\n", out);
	put_summary(out, view, brief->directory);
	fputc('\n', out);
}

void ftsan_brief_notes(FILE *out, const struct ftsan_brief *brief)
{
	if (ftsan_str_some(brief->news))
		fprintf(out, "  Compared with the baseline: %s.\n", brief->news);
	put_tests(out, brief->found);
	if (brief->found != NULL)
		put_evidence(out, brief->found);
}

static void note_stacks(FILE *out, const struct ftsan_view *view)
{
	for (unsigned i = 0; i < view->n_stacks; i++) {
		const struct ftsan_view_stack *stack = &view->stacks[i];
		struct ftsan_fold fold;

		if (ftsan_str_equal(stack->role, "alloc"))
			continue;
		ftsan_fold_stack(&fold, stack);
		fprintf(out, "%s",
			ftsan_brief_deed(stack,
					 i > 0 && ftsan_str_equal(view->kind, "race")));
		for (unsigned j = 0; j<fold.n; j += fold.n> 1 ? fold.n - 1 : 1) {
			const struct ftsan_view_frame *frame =
				&stack->frames[fold.shown[j]];

			fputs(j == 0 ? ": " : ", from ", out);
			ftsan_brief_function(out, frame);
			ftsan_brief_place(out, frame, NULL);
		}
		fputc('\n', out);
	}
}

void ftsan_brief_note(FILE *out, const struct ftsan_view *view,
		      const struct ftsan_found *found)
{
	ftsan_explain_what(out, view);
	fputc('\n', out);
	note_stacks(out, view);
	fputs("Danger: ", out);
	ftsan_explain_harm(out, view);
	fputs("\nRemedy: ", out);
	ftsan_explain_remedy(out, view);
	if (found != NULL && found->tests.n > 0) {
		fputs("\nTests: ", out);
		put_names(out, &found->tests, 3);
	}
	if (ftsan_str_some(view->fingerprint)) {
		fputs("\nfingerprint:", out);
		ftsan_put_text(out, view->fingerprint);
	}
}

void ftsan_brief_line(FILE *out, const struct ftsan_view *view)
{
	fputs("ftsan: found: ", out);
	ftsan_explain_what(out, view);
	if (ftsan_str_some(view->fingerprint)) {
		fputs(" [", out);
		ftsan_put_text(out, view->fingerprint);
		fputc(']', out);
	}
	fputc('\n', out);
}
