#include "common/json_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/escape.h"
#include "common/xmemory.h"

void ftsan_json_set_text(json_t *object, const char *name, const char *text)
{
	if (text != NULL && text[0] != '\0')
		json_object_set_new(object, name, ftsan_json_text(text));
}

void ftsan_json_set_number(json_t *object, const char *name, uint64_t number)
{
	json_object_set_new(object, name, json_integer((json_int_t)number));
}

void ftsan_json_set_address(json_t *object, const char *name, uint64_t address)
{
	if (address != 0)
		json_object_set_new(object, name,
				    json_sprintf("0x%llx", (unsigned long long)address));
}

json_t *ftsan_json_listed(const struct ftsan_names *names)
{
	json_t *list = json_array();

	for (size_t i = 0; i < names->n; i++)
		json_array_append_new(list, ftsan_json_text(names->texts[i]));
	return list;
}

json_t *ftsan_json_counted(const struct ftsan_names *names)
{
	json_t *object = json_object();

	for (size_t i = 0; i < names->n; i++)
		json_object_set_new(object, names->texts[i],
				    json_integer((json_int_t)names->counts[i]));
	return object;
}

char *ftsan_json_words(const json_t *list)
{
	char *text = ftsan_xstrdup("");
	const json_t *word;
	size_t i;

	json_array_foreach(list, i, word)
	{
		const char *value = json_string_value(word);
		char *longer = ftsan_xprintf("%s%s%s", text, i > 0 ? " " : "",
					     value != NULL ? value : "?");

		free(text);
		text = longer;
	}
	return text;
}

static void put_quoted(FILE *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_@%+=:,./-";

	if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word != '\0'; word++)
		if (*word == '\'')
			fputs("'\\''", out);
		else
			fputc(*word, out);
	fputc('\'', out);
}

char *ftsan_json_command(const json_t *list)
{
	char *text = NULL;
	size_t size = 0, i;
	FILE *out = open_memstream(&text, &size);
	const json_t *word;

	if (out == NULL)
		return ftsan_json_words(list);
	json_array_foreach(list, i, word)
	{
		const char *value = json_string_value(word);

		fputs(i > 0 ? " " : "", out);
		put_quoted(out, value != NULL ? value : "?");
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return ftsan_json_words(list);
}
