#include "stacks/pyabi_words.h"

#include <stddef.h>

/* No object we read extends further (the largest, PyThreadState of 3.15t, has 888
 * bytes), so a larger size is garbage. */
#define SIZE_MAX_BYTES 2048u
/* _PyRuntime of 3.15t has 400 KB, two thirds of it the first interpreter. */
#define STATE_MAX_BYTES (8u << 20)

/* CPython 3.13.0 and 3.13.5: Include/internal/pycore_runtime.h. */
static const struct ftsan_words words_3_13 = {
	.count = 71,
	.runtime_size = 3,
	.interpreters = 5,
	.interpreter_size = 6,
	.next = 8,
	.gil = 15,
	.gil_enabled = 16,
	.tstate_size = 19,
	.current_frame = 23,
	.thread_id = 24,
	.frame_size = 28,
	.previous = 29,
	.executable = 30,
	.instr_ptr = 31,
	.owner = 33,
	.code_size = 34,
	.filename = 35,
	.name = 36,
	.qualname = 37,
	.linetable = 38,
	.firstlineno = 39,
	.adaptive = 43,
	.object_size = 44,
	.ob_type = 45,
	.type_size = 46,
	.tp_name = 47,
	.bytes_size = 64,
	.bytes_length = 65,
	.bytes_data = 66,
	.unicode_size = 67,
	.unicode_state = 68,
	.unicode_length = 69,
	.ascii_size = 70,
};

/* CPython 3.14.0 and 3.14.7: Include/internal/pycore_debug_offsets.h. */
static const struct ftsan_words words_3_14 = {
	.count = 81,
	.runtime_size = 3,
	.interpreters = 5,
	.interpreter_size = 6,
	.next = 8,
	.gil = 16,
	.gil_enabled = 17,
	.tstate_size = 22,
	.current_frame = 26,
	.thread_id = 27,
	.frame_size = 31,
	.previous = 32,
	.executable = 33,
	.instr_ptr = 34,
	.owner = 36,
	.tlbc_index = 38,
	.code_size = 39,
	.filename = 40,
	.name = 41,
	.qualname = 42,
	.linetable = 43,
	.firstlineno = 44,
	.adaptive = 48,
	.tlbc = 49,
	.object_size = 50,
	.ob_type = 51,
	.type_size = 52,
	.tp_name = 53,
	.bytes_size = 74,
	.bytes_length = 75,
	.bytes_data = 76,
	.unicode_size = 77,
	.unicode_state = 78,
	.unicode_length = 79,
	.ascii_size = 80,
};

/*
 * CPython 3.15.0rc1 (beta 4 and later have these words; the betas before lack
 * last_profiled_frame_seq): the same file.
 */
static const struct ftsan_words words_3_15 = {
	.count = 94,
	.runtime_size = 3,
	.interpreters = 5,
	.interpreter_size = 6,
	.next = 8,
	.gil = 16,
	.gil_enabled = 17,
	.tstate_size = 22,
	.current_frame = 26,
	.thread_id = 30,
	.frame_size = 39,
	.previous = 40,
	.executable = 41,
	.instr_ptr = 42,
	.owner = 44,
	.tlbc_index = 46,
	.code_size = 47,
	.filename = 48,
	.name = 49,
	.qualname = 50,
	.linetable = 51,
	.firstlineno = 52,
	.adaptive = 56,
	.tlbc = 57,
	.object_size = 58,
	.ob_type = 59,
	.type_size = 60,
	.tp_name = 61,
	.bytes_size = 86,
	.bytes_length = 87,
	.bytes_data = 88,
	.unicode_size = 89,
	.unicode_state = 90,
	.unicode_length = 91,
	.ascii_size = 92,
	.compact_size = 93,
};

/* struct group - the members of struct ftsan_words for one kind of object */
struct group {
	uint8_t size, first, last;
	/* The first member is often at 0; no other group has a member there. */
	bool starts_at_zero;
};

#define WORD(member) offsetof(struct ftsan_words, member)
static const struct group groups[] = {
	{WORD(runtime_size), WORD(interpreters), WORD(interpreters), false},
	{WORD(interpreter_size), WORD(next), WORD(gil), false},
	{WORD(tstate_size), WORD(current_frame), WORD(thread_id), false},
	{WORD(frame_size), WORD(previous), WORD(tlbc_index), true},
	{WORD(code_size), WORD(filename), WORD(tlbc), false},
	{WORD(object_size), WORD(ob_type), WORD(ob_type), false},
	{WORD(type_size), WORD(tp_name), WORD(tp_name), false},
	{WORD(bytes_size), WORD(bytes_length), WORD(bytes_data), false},
	{WORD(unicode_size), WORD(unicode_state), WORD(compact_size), false},
};

const struct ftsan_words *ftsan_words_of(uint32_t version)
{
	if ((version >> 4 & 0xf) < FTSAN_LEVEL_CANDIDATE)
		return NULL;
	switch (version >> 16) {
	case 0x030d:
		return &words_3_13;
	case 0x030e:
		return &words_3_14;
	case 0x030f:
		return &words_3_15;
	default:
		return NULL;
	}
}

static uint64_t value_of(const uint64_t *value, const struct ftsan_words *at,
			 size_t member)
{
	uint8_t index = ((const uint8_t *)at)[member];

	return index != 0 ? value[index] : 0;
}

/* differs() - does no earlier member of the group lie where @member does? */
static bool differs(const uint64_t *value, const struct ftsan_words *at,
		    const struct group *group, size_t member)
{
	uint64_t offset = value_of(value, at, member);

	for (size_t other = group->first; other < member; other++)
		if (((const uint8_t *)at)[other] != 0 &&
		    value_of(value, at, other) == offset)
			return false;
	return true;
}

/* fits() - offsets of one object: inside it, none at another's place */
static bool fits(const uint64_t *value, const struct ftsan_words *at,
		 const struct group *group, bool free_threaded)
{
	uint64_t size = value_of(value, at, group->size);
	bool zero = false;

	if (size == 0 ||
	    size > (group->first <= WORD(gil) ? STATE_MAX_BYTES : SIZE_MAX_BYTES))
		return false;
	for (size_t member = group->first; member <= group->last; member++) {
		uint64_t offset = value_of(value, at, member);

		if (((const uint8_t *)at)[member] == 0)
			continue;
		/* Zero where there is no thread-local bytecode. */
		if (!free_threaded &&
		    (member == WORD(tlbc) || member == WORD(tlbc_index)))
			continue;
		zero |= offset == 0;
		if (offset >= size || !differs(value, at, group, member))
			return false;
	}
	return !zero || group->starts_at_zero;
}

bool ftsan_words_sound(const uint64_t *value, const struct ftsan_words *at,
		       bool free_threaded)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (!fits(value, at, &groups[i], free_threaded))
			return false;
	/* Include/object.h: PyObject is 32 bytes free-threaded, 16 otherwise. What
	 * follows an object's head can't begin inside it; the bytecode is a code
	 * object's last member, the characters those of bytes. */
	return value[at->runtime_size] > value[at->interpreter_size] &&
	       value[at->gil] + value[at->gil_enabled] < value[at->interpreter_size] &&
	       value[at->object_size] == (free_threaded ? 32u : 16u) &&
	       value[at->tp_name] >= value[at->object_size] &&
	       value[at->bytes_length] == value[at->object_size] &&
	       value[at->bytes_data] > value[at->bytes_length] &&
	       value[at->unicode_length] == value[at->object_size] &&
	       value[at->unicode_state] < value[at->ascii_size] &&
	       value[at->linetable] > value[at->filename] &&
	       value[at->adaptive] > value[at->linetable] &&
	       value[at->code_size] - value[at->adaptive] <= 8 &&
	       value[at->frame_size] >= value[at->instr_ptr] + 8;
}
