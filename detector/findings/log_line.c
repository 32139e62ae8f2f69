#include "findings/log_line.h"

#include "findings/log.h"

void ftsan_line_begin(struct ftsan_buf *line, char *storage, size_t size_bytes,
		      const char *type)
{
	ftsan_buf_init(line, storage, size_bytes - 1); /* the line break */
	ftsan_buf_str(line, "{\"v\":1,\"type\":\"");
	ftsan_buf_str(line, type);
	ftsan_buf_char(line, '"');
}

void ftsan_line_key(struct ftsan_buf *line, const char *name)
{
	if (line->text[line->length - 1] != '{')
		ftsan_buf_char(line, ',');
	ftsan_buf_json(line, name);
	ftsan_buf_char(line, ':');
}

void ftsan_line_u64(struct ftsan_buf *line, const char *name, uint64_t value)
{
	ftsan_line_key(line, name);
	ftsan_buf_u64(line, value);
}

void ftsan_line_i64(struct ftsan_buf *line, const char *name, int64_t value)
{
	ftsan_line_key(line, name);
	ftsan_buf_i64(line, value);
}

void ftsan_line_bool(struct ftsan_buf *line, const char *name, bool value)
{
	ftsan_line_key(line, name);
	ftsan_buf_str(line, value ? "true" : "false");
}

void ftsan_line_str(struct ftsan_buf *line, const char *name, const char *value)
{
	ftsan_line_key(line, name);
	ftsan_buf_json(line, value);
}

void ftsan_line_hex(struct ftsan_buf *line, const char *name, uint64_t value)
{
	ftsan_line_key(line, name);
	ftsan_buf_char(line, '"');
	ftsan_buf_hex(line, value);
	ftsan_buf_char(line, '"');
}

void ftsan_line_time(struct ftsan_buf *line)
{
	ftsan_line_key(line, "time");
	ftsan_buf_decimal(line, ftsan_sys_wall_ns() / 1000, 6);
}

void ftsan_line_finish(struct ftsan_buf *line)
{
	ftsan_buf_char(line, '}');
	(void)ftsan_log_write(line);
}
