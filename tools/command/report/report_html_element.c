#include "report/report_html_parts.h"

#include "common/common.h"

void ftsan_html_element(FILE *out, const char *tag, const char *class, const char *text)
{
	fprintf(out, "<%s", tag);
	if (class != NULL) {
		fputs(" class=\"", out);
		ftsan_put_xml(out, class);
		fputc('"', out);
	}
	fputc('>', out);
	ftsan_put_xml(out, text);
	fprintf(out, "</%s>", tag);
}
