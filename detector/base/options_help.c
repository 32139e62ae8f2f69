/* The table of options as text: `help=1`, `ftsan options`. */
#include "base/options.h"
#include "base/options_table.h"

/* Columns of the help table. */
enum { COLUMN_NAME = 2, COLUMN_DEFAULT = 18, COLUMN_VALUES = 27, COLUMN_HELP = 51 };

/* Pads the line that began at @line up to @column, by one space at least. */
static void pad(struct ftsan_buf *out, size_t line, size_t column)
{
	do
		ftsan_buf_char(out, ' ');
	while (out->length - line < column && !out->truncated);
}

static void put_default(struct ftsan_buf *out, const struct ftsan_option *option)
{
	if (option->type != FTSAN_OPTION_string)
		ftsan_buf_u64(out, option->number);
	else
		ftsan_buf_str(out, option->text[0] != '\0' ? option->text : "\"\"");
}

static void put_values(struct ftsan_buf *out, const struct ftsan_option *option)
{
	if (option->type == FTSAN_OPTION_uint) {
		ftsan_buf_u64(out, option->min);
		ftsan_buf_str(out, "..");
		ftsan_buf_u64(out, option->max);
		ftsan_buf_char(out, ' ');
	}
	ftsan_buf_str(out, option->unit);
}

void ftsan_options_help(struct ftsan_buf *out)
{
	const struct ftsan_option *option;
	size_t line = out->length;

	ftsan_buf_str(out, "  name");
	pad(out, line, COLUMN_DEFAULT);
	ftsan_buf_str(out, "default");
	pad(out, line, COLUMN_VALUES);
	ftsan_buf_str(out, "values, unit");
	pad(out, line, COLUMN_HELP);
	ftsan_buf_str(out, "meaning\n");
	for (size_t i = 0; (option = ftsan_option_at(i)) != NULL; i++) {
		line = out->length;
		pad(out, line, COLUMN_NAME);
		ftsan_buf_str(out, option->name);
		pad(out, line, COLUMN_DEFAULT);
		put_default(out, option);
		pad(out, line, COLUMN_VALUES);
		put_values(out, option);
		pad(out, line, COLUMN_HELP);
		ftsan_buf_str(out, option->help);
		ftsan_buf_char(out, '\n');
	}
}
