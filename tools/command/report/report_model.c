#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "common/common.h"
#include "log/log.h"
#include "report/report_model.h"

const char *ftsan_news_word(enum ftsan_news news)
{
	static const char *const words[] = {NULL, "new", "known", "gone"};

	return words[news];
}

static enum ftsan_news news_of(const struct ftsan_report *report,
			       const struct ftsan_found *found)
{
	if (report->baseline == NULL)
		return FTSAN_NEWS_UNKNOWN;
	return ftsan_session_find_found(report->baseline, found) == FTSAN_NO_NAME
		       ? FTSAN_NEWS_NEW
		       : FTSAN_NEWS_KNOWN;
}

/* struct weight - a finding and where it belongs */
struct weight {
	enum ftsan_news news;
	const struct ftsan_found *found;
};

static int heavier_first(const void *a, const void *b)
{
	const struct weight *one = a, *two = b;

	if (one->news != two->news)
		return one->news < two->news ? -1 : 1;
	return ftsan_found_compare(one->found, two->found);
}

/* The findings that @wanted says yes to, the heaviest first; malloc'ed, @n of them. */
static struct weight *
sorted(const struct ftsan_report *report, const struct ftsan_session *session,
       bool (*wanted)(const struct ftsan_report *, const struct ftsan_found *), size_t *n)
{
	struct weight *weights = ftsan_xcalloc(session->n_found, sizeof(*weights));

	*n = 0;
	for (size_t i = 0; i < session->n_found; i++) {
		const struct ftsan_found *found = &session->found[i];

		if (!wanted(report, found))
			continue;
		weights[(*n)++] = (struct weight){
			.news = news_of(report, found),
			.found = found,
		};
	}
	qsort(weights, *n, sizeof(*weights), heavier_first);
	return weights;
}

static bool is_shown(const struct ftsan_report *report, const struct ftsan_found *found)
{
	(void)report;
	return ftsan_found_shown(found);
}

static bool is_suppressed(const struct ftsan_report *report,
			  const struct ftsan_found *found)
{
	(void)report;
	return !ftsan_found_shown(found);
}

/* Of the baseline. Suppressed ones of today are not gone, and nobody asked for old ones.
 */
static bool is_gone(const struct ftsan_report *report, const struct ftsan_found *found)
{
	return ftsan_found_shown(found) &&
	       ftsan_session_find_found(report->session, found) == FTSAN_NO_NAME;
}

static void write_item(struct ftsan_report *report, const struct ftsan_format *format,
		       const struct ftsan_session *session, struct ftsan_item *item)
{
	struct ftsan_occurrence occurrence = {.session = session};
	struct ftsan_resolved resolved;
	struct ftsan_record record;

	/* It was parsed before, so it can be parsed again. */
	if (ftsan_record_parse(&record, item->found->line, item->found->length) != 0)
		return;
	occurrence.record = &record.finding;
	occurrence.modules = &item->found->modules;
	ftsan_resolve(&resolved, report->symbolizer, &occurrence);
	item->resolved = &resolved;
	item->view = &resolved.view;
	ftsan_place_of(&item->place, item->view, report->root);
	format->item(report, item);
	report->written++;
	ftsan_resolved_release(&resolved);
	ftsan_record_clear(&record);
}

static void write_items(struct ftsan_report *report, const struct ftsan_format *format,
			const struct ftsan_session *session,
			bool (*wanted)(const struct ftsan_report *,
				       const struct ftsan_found *),
			bool gone)
{
	size_t n;
	struct weight *weights = sorted(report, session, wanted, &n);

	for (size_t i = 0; i < n && !ferror(report->out); i++) {
		struct ftsan_item item = {
			.found = weights[i].found,
			.news = gone ? FTSAN_NEWS_GONE : weights[i].news,
			.suppressed = !ftsan_found_shown(weights[i].found),
			.number = i + 1,
		};

		write_item(report, format, session, &item);
	}
	free(weights);
}

void ftsan_report_compare(struct ftsan_report *report)
{
	if (report->baseline == NULL)
		return;
	for (size_t i = 0; i < report->session->n_found; i++)
		if (ftsan_found_shown(&report->session->found[i]) &&
		    news_of(report, &report->session->found[i]) == FTSAN_NEWS_NEW)
			report->n_new++;
	for (size_t i = 0; i < report->baseline->n_found; i++)
		if (is_gone(report, &report->baseline->found[i]))
			report->n_gone++;
}

void ftsan_report_write(struct ftsan_report *report, const struct ftsan_format *format)
{
	if (format->begin != NULL)
		format->begin(report);
	if (format->item != NULL) {
		write_items(report, format, report->session, is_shown, false);
		write_items(report, format, report->session, is_suppressed, false);
		if (report->baseline != NULL)
			write_items(report, format, report->baseline, is_gone, true);
	}
	if (format->end != NULL)
		format->end(report);
}

const char *ftsan_item_title(const struct ftsan_item *item, char *to,
			     size_t capacity_bytes)
{
	const char *title =
		item->view->title != NULL ? item->view->title : item->found->headline;

	/* Other languages have no such names, and mean what they put in angle brackets.
	 */
	return strstr(title, "::") == NULL
		       ? title
		       : ftsan_view_short_name(title, to, capacity_bytes);
}
