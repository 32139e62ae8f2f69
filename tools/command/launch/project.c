#include "launch/project.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "common/common.h"

enum { LIST_MAX = 16 };

/**
 * struct project - the table on its way in
 * @path, @directory: of pyproject.toml
 * @line:     that is read
 * @options:  what the settings are as FTSAN_OPTIONS, owned
 * @bad:      something was wrong, and told
 */
struct project {
	char *path, *directory;
	unsigned line;
	char *options;
	char *logs, *fail_on;
	bool bad;
};

/* struct value - of a key: texts of a string (one) or of a list */
struct value {
	char *texts[LIST_MAX];
	size_t n;
	bool list;
};

static char *logs; /* of the project */

static void complain(struct project *project, const char *what)
{
	ftsan_error("%s:%u: [tool.ftsan]: %s", project->path, project->line, what);
	project->bad = true;
}

static void add_option(struct project *project, const char *name, const char *value)
{
	const char *quote = strchr(value, '\'') == NULL ? "'" : "\"";
	char *all;

	if (strchr(value, *quote) != NULL) {
		complain(project, "a value with both kinds of quotes");
		return;
	}
	all = ftsan_xprintf("%s%s=%s%s%s:", project->options, name, quote, value, quote);
	free(project->options);
	project->options = all;
}

/* --- values ----------------------------------------------------------------------- */

static const char *skip_blanks(const char *text)
{
	while (*text == ' ' || *text == '\t')
		text++;
	return text;
}

static bool is_end(const char *text)
{
	text = skip_blanks(text);
	return *text == '\0' || *text == '#' || *text == '\n' || *text == '\r';
}

/* A string in one line; NULL: it is none. What follows it is returned. */
static const char *take_string(const char *text, struct value *value)
{
	char quote = *text;
	const char *end;

	if ((quote != '"' && quote != '\'') || value->n == LIST_MAX)
		return NULL;
	end = strchr(text + 1, quote);
	if (end == NULL || (quote == '"' && memchr(text, '\\', (size_t)(end - text))))
		return NULL;
	value->texts[value->n++] = ftsan_xprintf("%.*s", (int)(end - text - 1), text + 1);
	return end + 1;
}

static bool take_list(const char *text, struct value *value)
{
	value->list = true;
	text = skip_blanks(text + 1);
	while (text != NULL && *text != ']') {
		text = take_string(text, value);
		if (text == NULL)
			return false;
		text = skip_blanks(text);
		if (*text == ',')
			text = skip_blanks(text + 1);
		else if (*text != ']')
			return false;
	}
	return text != NULL && is_end(text + 1);
}

static bool take_value(const char *text, struct value *value)
{
	const char *end;

	text = skip_blanks(text);
	if (*text == '[')
		return take_list(text, value);
	end = take_string(text, value);
	return end != NULL && is_end(end);
}

/* --- keys ------------------------------------------------------------------------- */

static void set_engines(struct project *project, const struct value *value)
{
	static const struct {
		const char *name, *option, *on, *off;
	} engines[] = {
		{"guard", "guard", "1", "0"},
		{"watch", "watch", "1", "0"},
		{"statics", "statics", "site", "off"},
		{"sampler", "sampler", "1", "0"},
	};
	size_t known = 0;

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(engines); i++) {
		bool on = false;

		for (size_t j = 0; j < value->n; j++)
			on |= strcmp(value->texts[j], engines[i].name) == 0;
		known += on;
		add_option(project, engines[i].option,
			   on ? engines[i].on : engines[i].off);
	}
	if (known < value->n)
		complain(project, "engines are guard, watch, statics and sampler");
}

static char *absolute(const struct project *project, const char *path)
{
	return path[0] == '/' ? ftsan_xstrdup(path)
			      : ftsan_xprintf("%s/%s", project->directory, path);
}

static void set_fail_on(struct project *project, const char *text)
{
	if (strcmp(text, "never") == 0)
		add_option(project, "exitcode", "0");
	else if (strcmp(text, "any") != 0 && strcmp(text, "confirmed") != 0)
		complain(project, "fail-on is any, confirmed or never");
	free(project->fail_on);
	project->fail_on = ftsan_xstrdup(text);
}

static void set_raw(struct project *project, const char *text)
{
	char *all = ftsan_xprintf("%s%s:", project->options, text);

	free(project->options);
	project->options = all;
}

static void set(struct project *project, const char *key, const struct value *value)
{
	char *path;

	if (strcmp(key, "engines") == 0 && value->list) {
		set_engines(project, value);
	} else if (value->list || value->n != 1 || strcmp(key, "engines") == 0) {
		complain(project, "engines is a list of strings, all else one string");
	} else if (strcmp(key, "mode") == 0 || strcmp(key, "grade") == 0) {
		add_option(project, key, value->texts[0]);
	} else if (strcmp(key, "suppressions") == 0) {
		path = absolute(project, value->texts[0]);
		add_option(project, key, path);
		free(path);
	} else if (strcmp(key, "log-directory") == 0) {
		free(project->logs);
		project->logs = absolute(project, value->texts[0]);
	} else if (strcmp(key, "fail-on") == 0) {
		set_fail_on(project, value->texts[0]);
	} else if (strcmp(key, "options") == 0) {
		set_raw(project, value->texts[0]);
	} else {
		complain(project, "the keys are mode, engines, suppressions, "
				  "log-directory, fail-on, grade and options");
	}
}

static void read_setting(struct project *project, char *line)
{
	struct value value = {.n = 0};
	char *equals = strchr(line, '='), *end;

	if (equals == NULL) {
		complain(project, "no line of the form KEY = \"VALUE\"");
		return;
	}
	for (end = equals; end > line && (end[-1] == ' ' || end[-1] == '\t'); end--)
		;
	*end = '\0';
	if (take_value(equals + 1, &value))
		set(project, line, &value);
	else
		complain(project, "a value is \"TEXT\" or [\"TEXT\", \"TEXT\"], in one "
				  "line and without escapes");
	for (size_t i = 0; i < value.n; i++)
		free(value.texts[i]);
}

static void read_table(struct project *project, FILE *file)
{
	static const char header[] = "[tool.ftsan]";
	char *text = NULL;
	size_t capacity = 0;
	bool inside = false;

	while (getline(&text, &capacity, file) >= 0) {
		char *line = (char *)skip_blanks(text);

		project->line++;
		if (line[0] == '[')
			inside = strncmp(line, header, strlen(header)) == 0 &&
				 is_end(line + strlen(header));
		else if (inside && !is_end(line))
			read_setting(project, line);
	}
	free(text);
}

/* --- the file --------------------------------------------------------------------- */

/* Opens it here or above; @project gets its names. */
static FILE *find(struct project *project)
{
	char *directory = getcwd(NULL, 0), *slash;
	FILE *file = NULL;

	while (directory != NULL) {
		project->path = ftsan_xprintf("%s/pyproject.toml", directory);
		file = fopen(project->path, "re");
		if (file != NULL || directory[0] == '\0')
			break;
		free(project->path);
		project->path = NULL;
		slash = strrchr(directory, '/');
		if (slash == NULL)
			break;
		*slash = '\0';
	}
	project->directory = directory;
	return file;
}

static void apply(const struct project *project)
{
	const char *inherited = getenv("FTSAN_OPTIONS");
	char *all = ftsan_xprintf("%s%s", project->options,
				  inherited != NULL ? inherited : "");

	if (project->options[0] != '\0')
		setenv("FTSAN_OPTIONS", all, 1);
	if (project->fail_on != NULL && getenv("FTSAN_FAIL_ON") == NULL)
		setenv("FTSAN_FAIL_ON", project->fail_on, 1);
	free(all);
}

int ftsan_project_apply(void)
{
	struct project project = {.options = ftsan_xstrdup("")};
	FILE *file;

	if (getenv("FTSAN_RUN_ID") != NULL) {
		free(project.options);
		return 0;
	}
	file = find(&project);
	if (file != NULL) {
		read_table(&project, file);
		fclose(file);
		if (!project.bad)
			apply(&project);
	}
	free(logs);
	logs = project.logs;
	free(project.path);
	free(project.directory);
	free(project.options);
	free(project.fail_on);
	return project.bad ? -EINVAL : 0;
}

const char *ftsan_project_logs(void)
{
	return logs;
}
