/* The order in which findings are shown: what may end the process first. */
#ifndef FTSAN_TOOLS_ORDER_H
#define FTSAN_TOOLS_ORDER_H

#include <stddef.h>

#include "results/session_state.h"

/* <0 when @one is the heavier: by its kind, its proof, its count. Never 0 for two. Pure.
 */
int ftsan_found_compare(const struct ftsan_found *one, const struct ftsan_found *two);

/* The findings to show, the heaviest first: malloc'ed, @n of them. */
const struct ftsan_found **ftsan_session_ordered(const struct ftsan_session *session,
						 size_t *n);

#endif
