/* What a finding says of the memory that it is about. Data only. */
#ifndef FTSAN_OBJECT_H
#define FTSAN_OBJECT_H

#include <stdint.h>

#include "view/view.h"

/**
 * struct ftsan_object - what is known of the memory that a finding is about
 * @description: sentence fragment
 * @name:        the word that an access touches, "" when it has no name
 * @subject:     the kind of memory, for the finding's group: the same words in every run
 *               and in every build ("wrapt.ObjectProxy", "static of halves: cache"), so
 * no address, no offset that a rebuild changes; "": @name without its index
 * @word:        index of that 8-byte word, -1 for none
 * @n_shape:     -1 when unknown
 * @dtype:       "" when unknown
 */
struct ftsan_object {
	char description[160];
	char name[24];
	char subject[64];
	int word;
	int n_shape;
	int64_t shape[FTSAN_VIEW_DIMS_MAX];
	char dtype[32];
};

/* Nothing is known of it yet. */
static inline void ftsan_object_clear(struct ftsan_object *object)
{
	object->n_shape = -1;
	object->word = -1;
	object->name[0] = object->dtype[0] = object->description[0] = '\0';
	object->subject[0] = '\0';
}

#endif
