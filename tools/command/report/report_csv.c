/* A table, a finding a row: for spreadsheets. */
#include <inttypes.h>

#include "common/common.h"
#include "report/report_model.h"

static void begin_csv(struct ftsan_report *report)
{
	fputs("fingerprint,kind,confidence,count,processes,first,last,baseline,"
	      "suppressed,title,module,function,file,line,tests\r\n",
	      report->out);
}

static void put_field(FILE *out, const char *text)
{
	ftsan_put_csv(out, text);
	fputc(',', out);
}

static void put_csv_item(struct ftsan_report *report, const struct ftsan_item *item)
{
	const struct ftsan_found *found = item->found;
	FILE *out = report->out;
	char title[FTSAN_SHORT_NAME];

	put_field(out, found->fingerprint);
	put_field(out, found->kind);
	put_field(out, found->confidence);
	fprintf(out, "%" PRIu64 ",%" PRIu64 ",", ftsan_found_count(found),
		found->processes);
	ftsan_put_time(out, found->first);
	fputc(',', out);
	ftsan_put_time(out, found->last);
	fputc(',', out);
	put_field(out, ftsan_news_word(item->news));
	put_field(out, item->suppressed ? "yes" : "no");
	put_field(out, ftsan_item_title(item, title, sizeof(title)));
	put_field(out, ftsan_module_of(item->view));
	put_field(out, item->place.function);
	put_field(out, item->place.file);
	if (item->place.file != NULL)
		fprintf(out, "%d", item->place.line);
	fprintf(out, ",%zu\r\n", found->tests.n);
}

const struct ftsan_format ftsan_format_csv = {
	.name = "csv",
	.begin = begin_csv,
	.item = put_csv_item,
};
