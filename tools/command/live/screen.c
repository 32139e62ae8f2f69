#include "live/screen.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/common.h"
#include "results/results.h"

static const double INTERVAL_S = 0.5;

/* The other screen of the terminal, and no cursor; and back. */
static const char enter[] = "\033[?1049h\033[?25l", leave[] = "\033[?25h\033[?1049l";

/* --- findings ----------------------------------------------------------------------- */

static void collect(void *to, const char *fingerprint, const char *line)
{
	static const char prefix[] = "ftsan: found: ";
	struct ftsan_screen *screen = to;
	size_t known = screen->lines.n;
	size_t number = ftsan_names_add(&screen->lines, fingerprint, 1);

	if (number == known) {
		screen->sentences =
			ftsan_xgrow(screen->sentences, known, &screen->capacity,
				    sizeof(*screen->sentences));
		screen->sentences[number] = NULL;
	}
	if (strncmp(line, prefix, sizeof(prefix) - 1) == 0)
		line += sizeof(prefix) - 1;
	/* A better proof of the same. */
	free(screen->sentences[number]);
	screen->sentences[number] = ftsan_xprintf("%.*s", (int)strcspn(line, "\n"), line);
}

/* --- what is on it ------------------------------------------------------------------ */

/* struct page - what is being written: @left rows of @columns characters */
struct page {
	FILE *out;
	unsigned left, columns;
};

/* A row of the text, cut where the screen ends; @style: "" or a sequence. */
static void put_row(struct page *page, const char *style, const char *text)
{
	size_t width = 0, at = 0;

	if (page->left == 0)
		return;
	page->left--;
	/* A character of UTF-8 is one column, near enough. */
	while (text[at] != '\0' && width < page->columns) {
		at++;
		while (((unsigned char)text[at] & 0xc0) == 0x80)
			at++;
		width++;
	}
	fputs(style, page->out);
	/* Names are a log's, and a log is hostile. */
	ftsan_put_text_n(page->out, text, at);
	fprintf(page->out, "%s\033[K%s", style[0] != '\0' ? "\033[0m" : "",
		page->left > 0 ? "\r\n" : "");
}

static void put_verdict(struct page *page, const struct ftsan_session *session)
{
	char text[80];

	if (session->n_shown == 0) {
		put_row(page, "", "nothing found so far");
		return;
	}
	snprintf(text, sizeof(text), "FOUND %zu %s", session->n_shown,
		 ftsan_plural(session->n_shown, "bug", "bugs"));
	put_row(page, "\033[1;31m", text);
}

static uint64_t times(const struct ftsan_session *session, const char *fingerprint)
{
	long number = ftsan_session_find(session, fingerprint, NULL);

	return number == FTSAN_NO_NAME ? 1 : ftsan_found_count(&session->found[number]);
}

/* The last ones that there is room for. */
static void put_findings(struct page *page, const struct ftsan_screen *screen,
			 const struct ftsan_session *session, unsigned room)
{
	size_t n = screen->lines.n, first = n > room ? n - room : 0;

	for (size_t i = first; i < n; i++) {
		char *text = ftsan_xprintf("  %4" PRIu64 " x  %s",
					   times(session, screen->lines.texts[i]),
					   screen->sentences[i]);

		put_row(page, "", text);
		free(text);
	}
}

/* "########...." */
static void draw_bar(char *bar, unsigned width, const struct ftsan_module_seen *seen)
{
	for (unsigned i = 0; i < width; i++) {
		uint64_t share = ((uint64_t)i + 1) * seen->functions;

		bar[i] = share <= seen->shared * width ? '#'
			 : share <= seen->seen * width ? '+'
			 : i == 0 && seen->seen > 0    ? '+'
						       : '.';
	}
	bar[width] = '\0';
}

static void put_modules(struct page *page, const struct ftsan_screen *screen,
			unsigned room)
{
	enum { BAR = 24 };
	size_t n;
	struct ftsan_module_line *lines =
		ftsan_modules_ranked(&screen->glance.session, &n);

	if (n > 0)
		put_row(page, "\033[1m",
			"module                    functions   ran in threads   on "
			"shared "
			"memory");
	for (size_t i = 0; i < n && i < room; i++) {
		const struct ftsan_module_seen *seen = lines[i].seen;
		char bar[BAR + 1], *text;

		draw_bar(bar, BAR, seen);
		text = ftsan_xprintf(
			"%-24.24s  %9" PRIu64 "   %14" PRIu64 "   %16" PRIu64 "   %s",
			lines[i].name, seen->functions, seen->seen, seen->shared, bar);
		put_row(page, lines[i].faults > 0 ? "\033[31m" : "", text);
		free(text);
	}
	free(lines);
}

static void put_watched(struct page *page, const struct ftsan_screen *screen)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL)
		return;
	fputs("watched: ", out);
	ftsan_glance_write(out, &screen->glance);
	if (fclose(out) == 0)
		put_row(page, "", text);
	free(text);
}

void ftsan_screen_write(FILE *out, const struct ftsan_screen *screen,
			const struct ftsan_session *session, double seconds,
			struct ftsan_screen_size size)
{
	enum { FIXED = 7, MODULES = 8 };
	struct page page = {.out = out, .left = size.rows, .columns = size.columns};
	unsigned room = size.rows > FIXED ? size.rows - FIXED : 0;
	unsigned modules = room / 2 < MODULES ? room / 2 : MODULES;
	char *text = ftsan_xprintf("ftsan  %s  %u:%02u  Ctrl-C ends it", screen->title,
				   (unsigned)seconds / 60, (unsigned)seconds % 60);

	put_row(&page, "\033[7m", text);
	free(text);
	put_verdict(&page, session);
	put_watched(&page, screen);
	put_row(&page, "", "");
	put_modules(&page, screen, modules);
	put_row(&page, "", "");
	put_findings(&page, screen, session, room - modules);
}

/* --- the terminal ------------------------------------------------------------------- */

static struct ftsan_screen_size size_of_terminal(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 ||
	    size.ws_row == 0)
		return (struct ftsan_screen_size){.columns = 80, .rows = 24};
	return (struct ftsan_screen_size){.columns = size.ws_col, .rows = size.ws_row};
}

void ftsan_screen_begin(struct ftsan_screen *screen, const char *title,
			struct ftsan_printer *printer)
{
	const char *terminal = getenv("TERM");

	screen->began = ftsan_seconds();
	screen->title = title;
	screen->shown = isatty(STDERR_FILENO) && isatty(STDOUT_FILENO) &&
			(terminal == NULL || strcmp(terminal, "dumb") != 0);
	if (!screen->shown)
		return;
	printer->take_line = collect;
	printer->taker = screen;
	fputs(enter, stderr);
	fflush(stderr);
}

void ftsan_screen_update(struct ftsan_screen *screen, const struct ftsan_follow *follow)
{
	double now = ftsan_seconds();
	char *text = NULL;
	size_t length = 0;
	FILE *out;

	if (!screen->shown || now - screen->updated < INTERVAL_S)
		return;
	screen->updated = now;
	ftsan_glance_take(&screen->glance, follow);
	out = open_memstream(&text, &length);
	if (out == NULL)
		return;
	fputs("\033[H", out);
	ftsan_screen_write(out, screen, follow->session, now - screen->began,
			   size_of_terminal());
	fputs("\033[J", out);
	/* In one piece, or it flickers. */
	if (fclose(out) == 0) {
		fwrite(text, 1, length, stderr);
		fflush(stderr);
	}
	free(text);
}

void ftsan_screen_end(struct ftsan_screen *screen)
{
	if (screen->shown) {
		fputs(leave, stderr);
		fflush(stderr);
	}
	screen->shown = false;
	ftsan_glance_release(&screen->glance);
	for (size_t i = 0; i < screen->lines.n; i++)
		free(screen->sentences[i]);
	free(screen->sentences);
	screen->sentences = NULL;
	screen->capacity = 0;
	ftsan_names_release(&screen->lines);
}
