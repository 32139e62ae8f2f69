/*
 * Which words of struct _Py_DebugOffsets mean what, by version of CPython, and whether
 * their values make sense. For pyabi.c alone.
 */
#ifndef FTSAN_PYABI_WORDS_H
#define FTSAN_PYABI_WORDS_H

#include <stdbool.h>
#include <stdint.h>

/* The table is an array of 64-bit words; all builds of a minor version have the same
 * words, those that don't apply are 0. */
enum { FTSAN_WORDS_MAX = 112 };

/* PY_RELEASE_LEVEL_GAMMA, a release candidate (Include/patchlevel.h). */
#define FTSAN_LEVEL_CANDIDATE 0xcu

/*
 * struct ftsan_words - where the words that we need are (0: not there), and how many
 * have to be read; each line begins with the size of the object that its offsets are in
 */
struct ftsan_words {
	uint8_t count;
	uint8_t runtime_size, interpreters;
	uint8_t interpreter_size, next, gil;
	uint8_t gil_enabled; /* counts from @gil */
	uint8_t tstate_size, current_frame, thread_id;
	uint8_t frame_size, previous, executable, instr_ptr, owner, tlbc_index;
	uint8_t code_size, filename, name, qualname, linetable, firstlineno, adaptive,
		tlbc;
	uint8_t object_size, ob_type;
	uint8_t type_size, tp_name;
	uint8_t bytes_size, bytes_length, bytes_data;
	uint8_t unicode_size, unicode_state, unicode_length, ascii_size, compact_size;
};

/* The table of a version, NULL when there is none: alphas and betas have none. */
const struct ftsan_words *ftsan_words_of(uint32_t version);

/*
 * ftsan_words_sound() - do the offsets agree with the sizes that stand beside them, and
 * with each other? A table that was shifted by a word, or is another version's, doesn't.
 * @value: the words, @at->count of them. Pure.
 */
bool ftsan_words_sound(const uint64_t *value, const struct ftsan_words *at,
		       bool free_threaded);

#endif
