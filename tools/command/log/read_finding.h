/* A finding's record into a struct. */
#ifndef FTSAN_TOOLS_READ_FINDING_H
#define FTSAN_TOOLS_READ_FINDING_H

#include <jansson.h>

#include "view/view.h"

/*
 * @view points into @stacks and @frames, which the holder may improve upon.
 * @tests: list of the tests that ran, or NULL
 * @death: that @view points at, or zeroed
 */
struct ftsan_finding_record {
	struct ftsan_view view;
	json_t *tests;
	struct ftsan_view_stack *stacks;
	struct ftsan_view_frame *frames;
	struct ftsan_view_death death;
	int *silent;
};

/**
 * ftsan_finding_read() - what the record says
 * @finding: all-zero; needs ftsan_finding_clear(), whatever this returns
 * @json:    owns every string that it points to
 *
 * Return: 0; -EBADMSG: it lacks what makes it a finding.
 */
int ftsan_finding_read(struct ftsan_finding_record *finding, const json_t *json);
void ftsan_finding_clear(struct ftsan_finding_record *finding);

#endif
