#include "report/html_page.h"

#include <inttypes.h>
#include <stddef.h>

#include "common/common.h"
#include "report_html_page.h"

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

void ftsan_html_attribute(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	ftsan_put_xml(out, value);
	fputc('"', out);
}

void ftsan_html_names(FILE *out, const char *term, const struct ftsan_names *names)
{
	enum { NAMED_MAX = 20 };

	if (names->n == 0)
		return;
	fprintf(out, "<dt>%s</dt><dd>", term);
	for (size_t i = 0; i < names->n && i < NAMED_MAX; i++) {
		fputs(i > 0 ? "<br>" : "", out);
		ftsan_html_element(out, "code", NULL, names->texts[i]);
	}
	if (names->n > NAMED_MAX)
		fprintf(out, "<br>and %zu more", names->n - NAMED_MAX);
	fputs("</dd>\n", out);
}

static void put_base64(FILE *out, const unsigned char *bytes, size_t length)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+/";

	for (size_t i = 0; i < length; i += 3) {
		unsigned group = (unsigned)bytes[i] << 16;

		group |= i + 1 < length ? (unsigned)bytes[i + 1] << 8 : 0;
		group |= i + 2 < length ? bytes[i + 2] : 0;
		fputc(digits[group >> 18], out);
		fputc(digits[group >> 12 & 63], out);
		fputc(i + 1 < length ? digits[group >> 6 & 63] : '=', out);
		fputc(i + 2 < length ? digits[group & 63] : '=', out);
	}
}

void ftsan_html_begin(FILE *out, const char *title)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
	      "'none'; "
	      "base-uri 'none'; form-action 'none'; style-src 'sha256-",
	      out);
	put_base64(out, page_css_sum, sizeof(page_css_sum));
	fputs("'; script-src 'sha256-", out);
	put_base64(out, page_js_sum, sizeof(page_js_sum));
	fputs("'\">\n<meta name=\"viewport\" content=\"width=device-width, "
	      "initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n"
	      "<title>",
	      out);
	ftsan_put_xml(out, title);
	fputs("</title>\n<style>", out);
	fputs(page_css, out);
	fputs("</style>\n</head>\n<body>\n", out);
}

void ftsan_html_number(FILE *out, uint64_t number, const char *meaning)
{
	fprintf(out, "<li><b>%" PRIu64 "</b><span>%s</span></li>\n", number, meaning);
}

static void put_choice(FILE *out, const char *name, const char *label)
{
	fprintf(out,
		"<label>%s <select id=\"filter-%s\"><option value=\"\">all</option>"
		"</select></label>\n",
		label, name);
}

/* Hidden: without the script it would do nothing. */
void ftsan_html_filter(FILE *out, const char *kind, const char *confidence)
{
	fputs("<div class=\"filter\" id=\"filter\" role=\"search\" hidden>\n"
	      "<label>Search <input id=\"filter-text\" type=\"search\" "
	      "autocomplete=\"off\"></label>\n",
	      out);
	put_choice(out, "kind", kind);
	put_choice(out, "confidence", confidence);
	put_choice(out, "module", "Module");
	put_choice(out, "baseline", "Baseline");
	fputs("<button type=\"button\" id=\"filter-open\">Open all</button>\n"
	      "<button type=\"button\" id=\"filter-close\">Close all</button>\n"
	      "<span class=\"soft\" id=\"filter-shown\" aria-live=\"polite\"></span>\n"
	      "</div>\n",
	      out);
}

void ftsan_html_end(FILE *out)
{
	fputs("<footer>Made by ftsan " FTSAN_VERSION ".</footer>\n</main>\n<script>",
	      out);
	fputs(page_js, out);
	fputs("</script>\n</body>\n</html>\n", out);
}
