/* A finding in words for somebody who has never heard of such a thing. */
#ifndef FTSAN_TOOLS_EXPLAIN_H
#define FTSAN_TOOLS_EXPLAIN_H

#include <stdio.h>

#include "view/view.h"

/* Each writes one or two sentences without a line break. */

/* "sum_first_half (halves) stores to dimension 0 of a numpy.ndarray while another thread
 * reads it." */
void ftsan_explain_what(FILE *out, const struct ftsan_view *view);

/* "A thread that reads the shape in between ..." */
void ftsan_explain_harm(FILE *out, const struct ftsan_view *view);

/* "Known upstream as numpy#28197: update to 2.2.3." */
void ftsan_explain_remedy(FILE *out, const struct ftsan_view *view);

/* "PyArray_Repeat (_multiarray_umath)": who is to blame. */
void ftsan_explain_culprit(FILE *out, const struct ftsan_view *view);

/* "(1000 -> 500)", pointers in hexadecimal; nothing when neither is known. */
void ftsan_explain_values(FILE *out, const struct ftsan_view *view);

#endif
