#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/common.h"
#include "report/report_html_parts.h"

enum { OPENED = 3 };

static const char *or_empty(const char *text)
{
	return text != NULL ? text : "";
}

/* Modules on the way to the accesses, for the filter; a line each. */
static void put_modules(FILE *out, const struct ftsan_view *view)
{
	struct ftsan_names modules = {.n = 0};

	for (unsigned i = 0; i < view->n_stacks; i++) {
		const struct ftsan_view_stack *stack = &view->stacks[i];

		for (unsigned j = 0; j < stack->n_frames; j++)
			if (!stack->frames[j].python && stack->frames[j].module != NULL &&
			    strcmp(or_empty(stack->role), "alloc") != 0 &&
			    !ftsan_view_is_libc(&stack->frames[j]))
				ftsan_names_add(
					&modules,
					ftsan_str_base_name(stack->frames[j].module), 1);
	}
	fputs(" data-modules=\"", out);
	for (size_t i = 0; i < modules.n; i++) {
		if (i > 0)
			fputc('\n', out);
		ftsan_put_xml(out, modules.texts[i]);
	}
	fputc('"', out);
	ftsan_names_release(&modules);
}

const char *ftsan_html_badge(const char *confidence)
{
	if (strcmp(confidence, "confirmed") == 0)
		return "badge strong";
	return strcmp(confidence, "probable") == 0 ? "badge middle" : "badge";
}

static void put_place(FILE *out, const struct ftsan_item *item)
{
	fputs("<span class=\"where code\">", out);
	if (item->place.function[0] != '\0') {
		ftsan_put_xml(out, item->place.function);
		fputs(item->place.file != NULL ? " in " : "", out);
	}
	if (item->place.file != NULL) {
		ftsan_put_xml(out, item->place.inside != NULL ? item->place.inside
							      : item->place.file);
		fprintf(out, ":%d", item->place.line);
	}
	fputs("</span>", out);
}

static void put_summary(FILE *out, const struct ftsan_item *item)
{
	uint64_t count = ftsan_found_count(item->found);
	char title[FTSAN_SHORT_NAME];

	fputs("<summary>", out);
	ftsan_html_element(out, "span", ftsan_html_badge(item->found->confidence),
			   item->found->headline);
	ftsan_html_element(out, "span", "badge", item->found->confidence);
	if (item->news != FTSAN_NEWS_UNKNOWN)
		ftsan_html_element(out, "span",
				   item->news == FTSAN_NEWS_NEW ? "badge strong"
								: "badge",
				   ftsan_news_word(item->news));
	if (count > 1)
		fprintf(out, "<span class=\"badge\">%" PRIu64 " times</span>", count);
	ftsan_html_element(out, "h3", NULL, ftsan_item_title(item, title, sizeof(title)));
	put_place(out, item);
	fputs("</summary>\n", out);
}

/* A sentence of the text report. */
static void put_explained(FILE *out, const char *before,
			  void (*explain)(FILE *out, const struct ftsan_view *view),
			  const struct ftsan_view *view, const char *after)
{
	char *text = NULL;
	size_t length = 0;
	FILE *memory = open_memstream(&text, &length);

	if (memory == NULL)
		return;
	explain(memory, view);
	if (fclose(memory) == 0 && length > 0) {
		fputs(before, out);
		ftsan_put_xml(out, text);
		fputs(after, out);
	}
	free(text);
}

static void put_values(FILE *out, const struct ftsan_view *view)
{
	put_explained(out, " ", ftsan_explain_values, view, "");
}

static void put_object(FILE *out, const struct ftsan_view *view)
{
	fputs("<dt>Object</dt><dd>", out);
	ftsan_put_xml(out, view->description != NULL ? view->description : "memory");
	if (view->name != NULL) {
		fputs(", ", out);
		ftsan_html_element(out, "code", NULL, view->name);
	}
	if (view->member != NULL) {
		fputs(", which is ", out);
		ftsan_html_element(out, "code", NULL, view->member);
	}
	put_values(out, view);
	ftsan_put_shape(out, view);
	if (view->dtype != NULL) {
		fputs(", dtype ", out);
		ftsan_put_xml(out, view->dtype);
	}
	fputs("</dd>\n", out);
}

static void put_operation(FILE *out, const struct ftsan_view *view)
{
	if (view->operation == NULL)
		return;
	fputs("<dt>Operation</dt><dd>", out);
	ftsan_html_element(out, "code", NULL, view->operation);
	fputs(view->output ? ", which was given the object to write to</dd>\n"
			   : "</dd>\n",
	      out);
}

static void put_seen(FILE *out, const struct ftsan_found *found)
{
	uint64_t count = ftsan_found_count(found);

	fprintf(out, "<dt>Seen</dt><dd>%" PRIu64 " %s in %" PRIu64 " %s", count,
		ftsan_plural(count, "time", "times"), found->processes,
		ftsan_plural(found->processes, "process", "processes"));
	if (found->first > 0) {
		fputs(count > 1 ? ", first " : ", ", out);
		ftsan_put_time(out, found->first);
	}
	if (found->last > found->first) {
		fputs(", last ", out);
		ftsan_put_time(out, found->last);
	}
	fputs("</dd>\n", out);
}

static void put_facts(FILE *out, const struct ftsan_item *item)
{
	fputs("<dl class=\"facts\">\n", out);
	put_explained(out, "<dt>What</dt><dd>", ftsan_explain_what, item->view,
		      "</dd>\n");
	put_explained(out, "<dt>Danger</dt><dd>", ftsan_explain_harm, item->view,
		      "</dd>\n");
	/* A death has none but what its cause tells. */
	if (item->view->death == NULL)
		put_explained(out, "<dt>Remedy</dt><dd>", ftsan_explain_remedy,
			      item->view, "</dd>\n");
	put_object(out, item->view);
	put_operation(out, item->view);
	put_seen(out, item->found);
	ftsan_html_names(out, "Tests", &item->found->tests);
	if (item->view->gil_forced)
		fputs("<dt>GIL</dt><dd>kept off although a module asked for it: that "
		      "module does not claim to be safe without it</dd>\n",
		      out);
	fputs("<dt>To suppress</dt><dd><code>fingerprint:", out);
	ftsan_put_xml(out, item->found->fingerprint);
	fputs("</code> <button type=\"button\" class=\"copy\" hidden "
	      "data-copy=\"fingerprint:",
	      out);
	ftsan_put_xml(out, item->found->fingerprint);
	fputs("\">Copy</button></dd>\n</dl>\n", out);
}

static void put_frame_place(FILE *out, const struct ftsan_view_frame *frame)
{
	fputs("<span>", out);
	if (!frame->python && frame->module != NULL) {
		ftsan_put_xml(out, ftsan_str_base_name(frame->module));
		fprintf(out, "+0x%" PRIx64 " ", frame->offset);
	}
	if (frame->file != NULL) {
		ftsan_put_xml(out, frame->file);
		if (frame->line > 0)
			fprintf(out, ":%d", (int)frame->line);
	}
	fputs("</span>", out);
}

/* The line of source, where the file is here. */
static void put_source(FILE *out, const struct ftsan_view_frame *frame)
{
	char *text = NULL;
	size_t length = 0;
	FILE *memory = open_memstream(&text, &length);

	if (memory == NULL)
		return;
	(void)ftsan_put_source_line(memory, "", frame->file, frame->line);
	if (fclose(memory) == 0 && length > 0)
		ftsan_html_element(out, "code", NULL, text);
	free(text);
}

static void put_frame(FILE *out, const struct ftsan_item *item,
		      const struct ftsan_view_frame *frame, unsigned number, bool shown)
{
	bool inlined = ftsan_is_inlined(item->resolved, frame);
	char name[FTSAN_SHORT_NAME];
	const char *tag = frame->python ? "py" : inlined ? "inlined" : "c";

	fprintf(out, "<li data-number=\"%u\" class=\"%s%s%s\">", number,
		frame->python ? "python" : "native", inlined ? " inlined" : "",
		ftsan_view_is_libc(frame) ? " libc" : "");
	ftsan_html_element(
		out, "b", NULL,
		frame->function != NULL
			? ftsan_view_short_name(frame->function, name, sizeof(name))
			: "<unknown>");
	ftsan_html_element(out, "i", NULL, tag);
	put_frame_place(out, frame);
	if (shown)
		put_source(out, frame);
	fputs("</li>\n", out);
}

/* "Write of 8 bytes", then who, as the text report has it. */
static void put_stack_title(FILE *out, const struct ftsan_view_stack *stack, int pid)
{
	static const char *const words[][2] = {
		{"write", "Write"},	{"read", "Read"},   {"free", "Freed"},
		{"alloc", "Allocated"}, {"call", "Called"}, {"crash", "Fatal access"},
	};
	const char *word = or_empty(stack->role);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i][0]) == 0)
			word = words[i][1];
	fputs("<h3>", out);
	ftsan_put_xml(out, word[0] != '\0' ? word : "Access");
	if (stack->size != 0)
		fprintf(out, " of %u bytes", (unsigned)stack->size);
	fputs(" <span>", out);
	if (stack->tid != 0 && stack->tid == pid) {
		fputs("by the main thread", out);
	} else {
		fputs("by thread ", out);
		ftsan_put_xml(out, stack->thread != NULL ? stack->thread : "?");
	}
	if (stack->tid != 0)
		fprintf(out, " (tid %d)", stack->tid);
	fputs(stack->atomic ? ", atomic</span></h3>\n" : "</span></h3>\n", out);
}

static bool is_shown(const struct ftsan_fold *fold, unsigned frame)
{
	for (unsigned i = 0; i < fold->n; i++)
		if (fold->shown[i] == frame)
			return true;
	return false;
}

/* Those of the interpreter, the test runner and the like lie folded between the others.
 */
static void put_frames(FILE *out, const struct ftsan_item *item,
		       const struct ftsan_view_stack *stack)
{
	struct ftsan_fold fold;
	unsigned i = 0, end;

	ftsan_fold_stack(&fold, stack);
	fputs("<ol>\n", out);
	while (i < stack->n_frames) {
		bool shown = is_shown(&fold, i);

		for (end = i; end < stack->n_frames && is_shown(&fold, end) == shown;)
			end++;
		if (!shown)
			fprintf(out,
				"<li class=\"folded\"><details><summary>%u %s</summary>"
				"<ol>\n",
				end - i, ftsan_plural(end - i, "frame", "frames"));
		for (; i < end; i++)
			put_frame(out, item, &stack->frames[i], i, shown);
		if (!shown)
			fputs("</ol></details></li>\n", out);
	}
	fputs("</ol>\n", out);
}

static void put_stacks(FILE *out, const struct ftsan_item *item)
{
	fputs("<div class=\"stacks\">\n", out);
	for (unsigned i = 0; i < item->view->n_stacks; i++) {
		const struct ftsan_view_stack *stack = &item->view->stacks[i];

		fputs("<section class=\"stack\">\n", out);
		put_stack_title(out, stack, item->view->pid);
		put_frames(out, item, stack);
		fputs("</section>\n", out);
	}
	fputs("</div>\n", out);
}

void ftsan_html_finding(struct ftsan_report *report, const struct ftsan_item *item)
{
	FILE *out = report->out;

	fputs("<details class=\"finding\"", out);
	ftsan_html_attribute(out, "data-kind", item->found->kind);
	ftsan_html_attribute(out, "data-confidence", item->found->confidence);
	ftsan_html_attribute(out, "data-baseline", ftsan_news_word(item->news));
	put_modules(out, item->view);
	fputs(item->number <= OPENED ? " open>\n" : ">\n", out);
	put_summary(out, item);
	fputs("<div class=\"body\" id=\"f-", out);
	ftsan_put_xml(out, item->found->fingerprint);
	fputs("\">\n", out);
	put_facts(out, item);
	put_stacks(out, item);
	fputs("</div>\n</details>\n", out);
}
