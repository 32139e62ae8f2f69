#include "report_model.h"
const struct ftsan_format ftsan_format_html = {
	.name = "html",
};
