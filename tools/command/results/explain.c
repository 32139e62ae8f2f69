#include "results/explain.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "common/common.h"
#include "results/fold.h"
#include "symbols/symbols.h"

static const char *memory_of(const struct ftsan_view *view)
{
	return ftsan_str_some(view->description) ? view->description : "the same memory";
}

/* Of a log that does not say who is to blame: the innermost frame that is shown. */
static const struct ftsan_view_frame *innermost(const struct ftsan_view *view)
{
	struct ftsan_fold fold;

	if (view->n_stacks == 0)
		return NULL;
	ftsan_fold_stack(&fold, &view->stacks[0]);
	return fold.n > 0 ? &view->stacks[0].frames[fold.shown[0]] : NULL;
}

static void put_named(FILE *out, const char *function, const char *module, int length)
{
	char name[FTSAN_SHORT_NAME];
	char *text = ftsan_str_some(function) ? ftsan_demangle_text(function) : NULL;

	if (text != NULL)
		ftsan_put_text(out, ftsan_view_short_name(text, name, sizeof(name)));
	free(text);
	if (ftsan_str_some(function) && ftsan_str_some(module))
		fputs(" (", out);
	for (int i = 0; ftsan_str_some(module) && i < length && module[i] != '\0'; i++)
		fputc((unsigned char)module[i] < 0x20 ? '?' : module[i], out);
	if (ftsan_str_some(function) && ftsan_str_some(module))
		fputc(')', out);
}

void ftsan_explain_culprit(FILE *out, const struct ftsan_view *view)
{
	const struct ftsan_view_frame *frame;
	const char *module;

	if (ftsan_str_some(view->culprit)) {
		put_named(out, view->culprit, view->culprit_module, INT_MAX);
		return;
	}
	frame = innermost(view);
	if (frame == NULL ||
	    (!ftsan_str_some(frame->function) && !ftsan_str_some(frame->module))) {
		fputs("Native code", out);
		return;
	}
	module = ftsan_str_some(frame->module) ? ftsan_str_base_name(frame->module)
					       : frame->module;
	put_named(out, frame->function, module,
		  ftsan_str_some(module) ? (int)strcspn(module, ".") : 0);
}

/* What the second party of a race did. */
static const char *others_deed(const struct ftsan_view *view)
{
	unsigned writes = 0;

	for (unsigned i = 0; i < view->n_stacks; i++)
		writes += ftsan_str_equal(view->stacks[i].role, "write");
	return writes > 1 ? "stores to it, too" : "reads it";
}

static void put_hazard(FILE *out, const struct ftsan_view *view)
{
	ftsan_explain_culprit(out, view);
	fputs(" stores to ", out);
	ftsan_put_text(out, memory_of(view));
	if (ftsan_str_some(view->operation)) {
		fputs(view->output ? ", which is where " : ", an input of ", out);
		ftsan_put_text(out, view->operation);
		fputs(view->output ? " was asked to put its result" : "", out);
	}
	fputs(". One thread did it here; a second one that uses the object at that "
	      "moment makes it a race.",
	      out);
}

static void put_title(FILE *out, const struct ftsan_view *view)
{
	const char *title =
		ftsan_str_some(view->title) ? view->title : ftsan_view_headline(view);

	ftsan_put_text(out, title);
	if (ftsan_str_some(view->culprit)) {
		fputs(", in ", out);
		ftsan_explain_culprit(out, view);
	}
	fputc('.', out);
}

/* Both parties have freed it. */
static bool frees_again(const struct ftsan_view *view)
{
	return view->n_stacks > 0 && ftsan_str_equal(view->stacks[0].role, "free");
}

void ftsan_explain_what(FILE *out, const struct ftsan_view *view)
{
	/* The title says which two threads, and at what. */
	if (view->death != NULL && ftsan_str_some(view->title)) {
		ftsan_put_text(out, view->title);
		fputc('.', out);
	} else if (ftsan_str_equal(view->kind, "race") &&
		   ftsan_str_equal(view->confidence, "confirmed")) {
		ftsan_explain_culprit(out, view);
		fputs(" stores to ", out);
		ftsan_put_text(out, memory_of(view));
		fprintf(out, " while another thread %s.", others_deed(view));
	} else if (ftsan_str_equal(view->kind, "hazard") && !ftsan_str_some(view->note)) {
		put_hazard(out, view);
	} else if (ftsan_str_equal(view->kind, "use-after-free")) {
		ftsan_explain_culprit(out, view);
		fputs(frees_again(view) ? " frees " : " uses ", out);
		ftsan_put_text(out, memory_of(view));
		fputs(frees_again(view) ? " again." : " after it was freed.", out);
	} else {
		put_title(out, view);
	}
}

static const char *harm_of(const struct ftsan_view *view)
{
	static const struct {
		const char *name, *harm;
	} harms[] = {
		{"dims", "A thread that reads the shape in between works with a wrong "
			 "length: wrong results, an exception out of nowhere, or reads "
			 "and writes past the end of the buffer."},
		{"strides", "A thread that reads the strides in between addresses the "
			    "wrong elements: wrong results, or reads and writes outside "
			    "of the buffer."},
		{"descr", "A thread that uses the dtype in between takes the data for "
			  "something else, or uses a dtype that is freed already: wrong "
			  "results or a crash."},
		{"flags",
		 "A thread that reads the flags in between takes the wrong path: "
		 "a write to a read-only array, or wrong results."},
		{"entries", "A thread that raises an exception takes a code object from "
			    "the cache while it is moved: a crash in a traceback."},
		{"base", "A thread that uses the array in between keeps the wrong owner "
			 "alive: use of freed memory."},
	};

	for (size_t i = 0; ftsan_str_some(view->name) && i < FTSAN_ARRAY_LEN(harms);
	     i++) {
		size_t length = strlen(harms[i].name);

		if (strncmp(view->name, harms[i].name, length) == 0 &&
		    strchr("[", view->name[length]) != NULL)
			return harms[i].harm;
	}
	if (frees_again(view))
		return "The second free was not done. Without ftsan it frees what is "
		       "somebody else's by then: a crash, here or much later.";
	if (ftsan_str_equal(view->kind, "use-after-free"))
		return "What was freed may be anything by now: wrong results or a crash, "
		       "here or much later.";
	if (ftsan_str_equal(view->kind, "bad-code"))
		return "CPython runs what is no code object: a crash.";
	return "The threads may see each other's half-done work: wrong results or a "
	       "crash.";
}

/* What is known of the death. */
static void put_death(FILE *out, const struct ftsan_view_death *death)
{
	ftsan_put_text(out, ftsan_str_some(death->cause) ? death->cause
							 : "the cause is not known");
	if (ftsan_str_some(death->detail)) {
		fputs(": ", out);
		ftsan_put_text(out, death->detail);
	}
	fputc('.', out);
	if (death->race)
		fprintf(out,
			" Two threads at the same %s at that moment are the likely "
			"reason.",
			ftsan_str_equal(death->relation, "function") ? "function"
								     : "object");
}

void ftsan_explain_harm(FILE *out, const struct ftsan_view *view)
{
	if (view->death != NULL) {
		put_death(out, view->death);
		return;
	}

	static const char prefix[] = "What can go wrong: ";
	const char *note = view->note;

	if (!ftsan_str_some(note)) {
		fputs(harm_of(view), out);
		return;
	}
	if (strncmp(note, prefix, sizeof(prefix) - 1) == 0) {
		note += sizeof(prefix) - 1;
		/* What followed a colon begins a sentence here. */
		if (*note >= 'a' && *note <= 'z')
			fputc(*note++ - 'a' + 'A', out);
	}
	ftsan_put_text(out, note);
}

/* Is the function to blame in somebody else's package? */
static bool is_packages(const struct ftsan_view *view)
{
	for (unsigned i = 0; i < view->n_stacks; i++) {
		const struct ftsan_view_stack *stack = &view->stacks[i];

		for (unsigned j = 0; j < stack->n_frames; j++) {
			enum ftsan_owner owner = ftsan_frame_owner(&stack->frames[j]);

			if (owner == FTSAN_OWNER_PROJECT || owner == FTSAN_OWNER_PACKAGE)
				return owner == FTSAN_OWNER_PACKAGE;
		}
	}
	return false;
}

/* The project's own function stored where another thread was. */
static const char *remedy_of(const struct ftsan_view *view)
{
	if (ftsan_str_some(view->description) &&
	    strncmp(view->description, "static ", 7) == 0)
		return "Give each call, each thread or each module object its own (a "
		       "local variable, thread_local, the module's state), or let all "
		       "who use it hold the same lock.";
	if (ftsan_str_some(view->description) &&
	    strncmp(view->description, "field ", 6) == 0 &&
	    strstr(view->description, " of a numpy.ndarray") == NULL)
		return "Let all methods that use the object hold its lock "
		       "(Py_BEGIN_CRITICAL_SECTION(self); in Cython: with "
		       "cython.critical_section(self)), or make the field an atomic.";
	return "Work on a view or a copy instead of what was passed in, or let all who "
	       "use the object hold the same lock (Py_BEGIN_CRITICAL_SECTION).";
}

void ftsan_explain_remedy(FILE *out, const struct ftsan_view *view)
{
	const struct ftsan_hazard *hazard = ftsan_hazard_of(view->culprit);

	if (hazard != NULL)
		fprintf(out,
			"Known upstream as %s (%s), fixed in %s %s: update, or rebuild "
			"with it.",
			hazard->issue, hazard->text, hazard->component, hazard->fixed);
	else if (ftsan_str_some(view->advice) && ftsan_str_equal(view->kind, "hazard"))
		ftsan_put_text(out, view->advice);
	else if (frees_again(view))
		fputs("One of the two owners gives up what is not its own: let it take a "
		      "reference where it keeps the object (Py_NewRef), or leave out the "
		      "second Py_DECREF or PyMem_Free.",
		      out);
	else if (is_packages(view))
		fputs("It is the package's to mend: look for a newer version, or report "
		      "it "
		      "there with this log. Until then don't share the object, or hold "
		      "one "
		      "lock around all uses of it.",
		      out);
	else
		fputs(remedy_of(view), out);
}

static void put_value(FILE *out, const struct ftsan_view *view, int64_t value)
{
	bool number = ftsan_str_some(view->name) && strchr(view->name, '[') != NULL;

	/* What is not a shape or a stride and this large is a pointer. */
	if (!number && (value >= INT64_C(1) << 32 || value < -(INT64_C(1) << 32)))
		fprintf(out, "0x%" PRIx64, (uint64_t)value);
	else
		fprintf(out, "%" PRId64, value);
}

void ftsan_explain_values(FILE *out, const struct ftsan_view *view)
{
	if (!view->has_old && !view->has_new)
		return;
	fputc('(', out);
	if (view->has_old)
		put_value(out, view, view->old_value);
	else
		fputc('?', out);
	/* The same again is no change: what was seen is the store itself. */
	if (view->has_new && !(view->has_old && view->old_value == view->new_value)) {
		fputs(" -> ", out);
		put_value(out, view, view->new_value);
	}
	fputc(')', out);
}
