#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stacks/stacks.h"

#define WORDS 128

/* Values of a real 3.13.5 free-threaded build, where struct _Py_DebugOffsets has them. */
static void fill_313t(uint64_t *w)
{
	memset(w, 0, WORDS * sizeof(*w));
	memcpy(&w[0], "xdebugpy", 8);
	w[1] = 0x030d05f0;
	w[2] = 1;
	w[3] = 353480, w[5] = 840, w[6] = 241272, w[8] = 7256;
	w[15] = 7752, w[16] = 0;
	w[19] = 824, w[23] = 72, w[24] = 152;
	w[28] = 80, w[29] = 8, w[30] = 0, w[31] = 56, w[32] = 72, w[33] = 70;
	w[34] = 217, w[35] = 128, w[36] = 136, w[37] = 144, w[38] = 152, w[39] = 84;
	w[43] = 216;
	w[44] = 32, w[45] = 24, w[46] = 416, w[47] = 40;
	w[64] = 49, w[65] = 32, w[66] = 48;
	w[67] = 80, w[68] = 48, w[69] = 32, w[70] = 56;
}

/* The same interpreter with 3.14's words, a tlbc index and a tlbc table. */
static void fill_314t(uint64_t *w)
{
	memset(w, 0, WORDS * sizeof(*w));
	memcpy(&w[0], "xdebugpy", 8);
	w[1] = 0x030e00f0;
	w[2] = 1;
	w[3] = 362368, w[5] = 808, w[6] = 246720, w[8] = 7272;
	w[16] = 7808, w[17] = 0;
	w[22] = 832, w[26] = 72, w[27] = 152;
	w[31] = 88, w[32] = 8, w[33] = 0, w[34] = 56, w[35] = 80, w[36] = 78;
	w[37] = 64, w[38] = 72;
	w[39] = 233, w[40] = 128, w[41] = 136, w[42] = 144, w[43] = 152, w[44] = 84;
	w[48] = 232, w[49] = 224;
	w[50] = 32, w[51] = 24, w[52] = 416, w[53] = 40;
	w[74] = 49, w[75] = 32, w[76] = 48;
	w[77] = 80, w[78] = 48, w[79] = 32, w[80] = 56;
}

/* Values of a real 3.15.0rc1 free-threaded build. */
static void fill_315t(uint64_t *w)
{
	static const uint64_t tstate[] = {888, 0,   8,	 16, 72, 80, 88,  96,
					  176, 184, 256, 32, 34, 35, 136, 288};
	static const uint64_t frame[] = {88, 8, 0, 56, 80, 78, 64, 72};
	static const uint64_t code[] = {240, 128, 136, 144, 152, 84,
					68,  112, 120, 232, 224};

	memset(w, 0, WORDS * sizeof(*w));
	memcpy(&w[0], "xdebugpy", 8);
	w[1] = 0x030f00c1;
	w[2] = 1;
	w[3] = 405760, w[5] = 936, w[6] = 247104, w[8] = 7264;
	w[16] = 7744, w[17] = 0, w[18] = 7768;
	memcpy(&w[22], tstate, sizeof(tstate));
	memcpy(&w[39], frame, sizeof(frame));
	memcpy(&w[47], code, sizeof(code));
	w[58] = 32, w[59] = 24, w[60] = 440, w[61] = 40;
	w[86] = 56, w[87] = 32, w[88] = 48;
	w[89] = 80, w[90] = 48, w[91] = 32, w[92] = 56, w[93] = 72;
}

START_TEST(reads_313t)
{
	struct ftsan_pyabi abi;
	uint64_t w[WORDS];

	fill_313t(w);
	ck_assert_int_eq(ftsan_pyabi_read(&abi, w, 0), 0);
	ck_assert(abi.known && abi.free_threaded);
	ck_assert_uint_eq(abi.version, 0x030d05f0);
	ck_assert_uint_eq(abi.tstate_current_frame, 72);
	ck_assert_uint_eq(abi.tstate_cframe, 0);
	ck_assert_uint_eq(abi.frame_instr_ptr, 56);
	ck_assert_uint_eq(abi.frame_tlbc_index, 0);
	ck_assert_uint_eq(abi.frame_span, 71);
	ck_assert_uint_eq(abi.code_tlbc, 0);
	ck_assert_uint_eq(abi.code_firsttraceable, 200);
	ck_assert_uint_eq(abi.unicode_compact_size, 72);
}
END_TEST

START_TEST(reads_314t)
{
	struct ftsan_pyabi abi;
	uint64_t w[WORDS];

	fill_314t(w);
	ck_assert_int_eq(ftsan_pyabi_read(&abi, w, 0), 0);
	ck_assert_uint_eq(abi.frame_tlbc_index, 72);
	ck_assert_uint_eq(abi.frame_owner, 78);
	ck_assert_uint_eq(abi.frame_span, 79);
	ck_assert_uint_eq(abi.code_adaptive, 232);
	ck_assert_uint_eq(abi.code_tlbc, 224);
	ck_assert_uint_eq(abi.code_firsttraceable, 208);
	ck_assert_uint_eq(abi.type_name, 40);
}
END_TEST

START_TEST(reads_315t)
{
	struct ftsan_pyabi abi;
	uint64_t w[WORDS];

	fill_315t(w);
	ck_assert_int_eq(ftsan_pyabi_read(&abi, w, 0), 0);
	ck_assert(abi.known && abi.free_threaded && abi.refusal == NULL);
	ck_assert_uint_eq(abi.tstate_current_frame, 72);
	ck_assert_uint_eq(abi.tstate_thread_id, 176);
	ck_assert_uint_eq(abi.frame_previous, 8);
	ck_assert_uint_eq(abi.frame_instr_ptr, 56);
	ck_assert_uint_eq(abi.frame_owner, 78);
	ck_assert_uint_eq(abi.frame_tlbc_index, 72);
	ck_assert_uint_eq(abi.code_filename, 128);
	ck_assert_uint_eq(abi.code_linetable, 152);
	ck_assert_uint_eq(abi.code_firstlineno, 84);
	ck_assert_uint_eq(abi.code_adaptive, 232);
	ck_assert_uint_eq(abi.code_tlbc, 224);
	ck_assert_uint_eq(abi.code_firsttraceable, 208);
	ck_assert_uint_eq(abi.type_name, 40);
	ck_assert_uint_eq(abi.bytes_size, 32);
	ck_assert_uint_eq(abi.bytes_data, 48);
	ck_assert_uint_eq(abi.unicode_state, 48);
	ck_assert_uint_eq(abi.unicode_ascii_size, 56);
	ck_assert_uint_eq(abi.unicode_compact_size, 72);
	ck_assert_uint_eq(abi.runtime_main, 158656);
	ck_assert_uint_eq(abi.interpreter_gil, 7744);
}
END_TEST

/* Beta 3 of 3.15 had one word fewer, and said of itself what a final one says. */
START_TEST(a_table_that_is_one_word_off_is_refused)
{
	struct ftsan_pyabi abi;
	uint64_t w[WORDS];

	for (unsigned from = 6; from < 93; from++) {
		fill_315t(w);
		memmove(&w[from], &w[from + 1], (WORDS - from - 1) * sizeof(*w));
		ck_assert_msg(ftsan_pyabi_read(&abi, w, 0) == -ENOTSUP, "word %u", from);
		ck_assert(!abi.known);
		ck_assert_str_eq(abi.refusal, "the layouts that this build of CPython "
					      "states contradict each other");
	}
	/* Of 3.14, under the version of 3.15, and the other way round. */
	fill_314t(w);
	w[1] = 0x030f00f0;
	ck_assert_int_eq(ftsan_pyabi_read(&abi, w, 0), -ENOTSUP);
	fill_315t(w);
	w[1] = 0x030e07f0;
	ck_assert_int_eq(ftsan_pyabi_read(&abi, w, 0), -ENOTSUP);
}
END_TEST

START_TEST(gil_build_has_no_thread_local_bytecode)
{
	struct ftsan_pyabi abi;
	uint64_t w[WORDS];

	fill_314t(w);
	w[2] = 0;
	w[31] = 80, w[36] = 74, w[38] = 0;
	w[39] = 208, w[40] = 112, w[41] = 120, w[42] = 128, w[43] = 136, w[44] = 68;
	w[48] = 200, w[49] = 0;
	w[50] = 16, w[51] = 8, w[53] = 24;
	w[74] = 40, w[75] = 16, w[76] = 32;
	w[77] = 64, w[78] = 32, w[79] = 16, w[80] = 40;
	ck_assert_int_eq(ftsan_pyabi_read(&abi, w, 0), 0);
	ck_assert(!abi.free_threaded);
	ck_assert_uint_eq(abi.code_tlbc, 0);
	ck_assert_uint_eq(abi.code_firsttraceable, 184);
}
END_TEST

START_TEST(hint_selects_a_built_in_table)
{
	static const uint64_t no_offsets[WORDS];
	struct ftsan_pyabi abi;

	ck_assert_int_eq(ftsan_pyabi_read(&abi, no_offsets, 0x030b02f0), 0);
	ck_assert(abi.known && !abi.free_threaded);
	ck_assert_uint_eq(abi.version, 0x030b02f0);
	ck_assert_uint_eq(abi.frame_is_entry, 68);
	ck_assert_int_eq(ftsan_pyabi_read(&abi, NULL, 0x030c01f0), 0);
	ck_assert_uint_eq(abi.frame_is_entry, 0);
	ck_assert_uint_eq(abi.tstate_cframe, 56);
	ck_assert_uint_eq(abi.frame_span, 71);
}
END_TEST

START_TEST(unknown_cookie_is_refused)
{
	struct ftsan_pyabi abi;
	uint64_t w[WORDS];

	fill_313t(w);
	memcpy(&w[0], "ydebugpy", 8);
	ck_assert_int_eq(ftsan_pyabi_read(&abi, w, 0), -ENOTSUP);
	ck_assert(!abi.known);
	ck_assert_uint_eq(abi.version, 0);
	/* 3.13 always has offsets, so a hint of it is no help. */
	ck_assert_int_eq(ftsan_pyabi_read(&abi, w, 0x030d05f0), -ENOTSUP);
	ck_assert_int_eq(ftsan_pyabi_read(&abi, NULL, 0x030a00f0), -ENOTSUP);
	ck_assert_int_eq(ftsan_pyabi_read(&abi, NULL, 0), -ENOTSUP);
}
END_TEST

START_TEST(unknown_version_is_refused_but_named)
{
	static const struct {
		uint32_t version;
		const char *word;
	} unknown[] = {{0x030a00f0, "older"},  {0x031000f0, "newer"},
		       {0x040d05f0, "newer"},  {0x031000a1, "newer"},
		       {0x030d00a6, "alpha"},  {0x030f00b3, "alpha"},
		       {0x030c00f0, "without"}};
	struct ftsan_pyabi abi;
	uint64_t w[WORDS];

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		fill_313t(w);
		w[1] = unknown[i].version;
		ck_assert_int_eq(ftsan_pyabi_read(&abi, w, 0), -ENOTSUP);
		ck_assert(!abi.known && abi.free_threaded);
		ck_assert_uint_eq(abi.version, unknown[i].version);
		ck_assert_ptr_nonnull(strstr(abi.refusal, unknown[i].word));
	}
}
END_TEST

START_TEST(zeroed_and_absurd_offsets_are_refused)
{
	struct ftsan_pyabi abi;
	uint64_t w[WORDS];

	fill_313t(w);
	memset(&w[3], 0, (WORDS - 3) * sizeof(*w));
	ck_assert_int_eq(ftsan_pyabi_read(&abi, w, 0), -ENOTSUP);
	ck_assert(!abi.known);
	fill_313t(w);
	w[38] = UINT64_MAX;
	ck_assert_int_eq(ftsan_pyabi_read(&abi, w, 0), -ENOTSUP);
	/* A build that says it has no GIL, with objects of a build that has one. */
	fill_313t(w);
	w[44] = 16, w[45] = 8;
	ck_assert_int_eq(ftsan_pyabi_read(&abi, w, 0), -ENOTSUP);
	ck_assert(!abi.known);
}
END_TEST

/*
 * Three frames of a make-believe 3.14t: a function, the mark of where C entered, and the
 * function that called C; the first runs its second copy of the bytecode.
 */
struct world {
	uint64_t tstate[32];
	unsigned char frame[3][96];
	uint64_t code[40];
	unsigned char bytecode[16];
	uint64_t copies[3];
	struct {
		uint64_t head[6];
		unsigned char data[16];
	} table;
	struct {
		uint64_t head[7];
		char data[16];
	} name;
	uint64_t code_type;
};

static void set_u64(unsigned char *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void set_frame(unsigned char *frame, void *code, void *previous, void *instr,
		      char owner, int32_t copy)
{
	set_u64(frame, (uintptr_t)code);
	set_u64(frame + 8, (uintptr_t)previous);
	set_u64(frame + 56, (uintptr_t)instr);
	memcpy(frame + 72, &copy, sizeof(copy));
	frame[78] = (unsigned char)owner;
}

static void set_code(struct world *w)
{
	unsigned char *code = (unsigned char *)w->code;
	static const unsigned char table[] = {0x80 | 11 << 3,	  0, 0,
					      0x80 | 11 << 3 | 6, 0, 0};
	int32_t first_line = 40, first_traceable = 1;

	set_u64(code + 24, (uintptr_t)&w->code_type);
	set_u64(code + 32, 8);
	memcpy(code + 84, &first_line, 4);
	memcpy(code + 208, &first_traceable, 4);
	set_u64(code + 128, (uintptr_t)&w->name);
	set_u64(code + 136, (uintptr_t)&w->name);
	set_u64(code + 144, (uintptr_t)&w->name);
	set_u64(code + 152, (uintptr_t)&w->table);
	set_u64(code + 224, (uintptr_t)w->copies);
	w->copies[0] = 2;
	w->copies[1] = (uintptr_t)code + 232;
	w->copies[2] = (uintptr_t)w->bytecode;
	w->table.head[4] = sizeof(table);
	memcpy(w->table.data, table, sizeof(table));
	w->name.head[4] = 3;
	/* interned: 8 bits; kind 1, compact, ascii */
	w->name.head[6] = 2 | 1 << 8 | 1 << 11 | 1 << 12;
	memcpy(w->name.data, "abc", 3);
}

static void set_world(struct world *w, struct ftsan_pyabi *abi)
{
	uint64_t words[WORDS];
	unsigned char *code = (unsigned char *)w->code;

	memset(w, 0, sizeof(*w));
	fill_314t(words);
	ck_assert_int_eq(ftsan_pyabi_read(abi, words, 0), 0);
	set_code(w);
	w->tstate[9] = (uintptr_t)w->frame[0];
	/* A tagged reference to the code object, and the frame's own copy. */
	set_frame(w->frame[0], code + 1, w->frame[1], w->bytecode + 2, 0, 1);
	set_frame(w->frame[1], NULL, w->frame[2], NULL, 3, 0);
	set_frame(w->frame[2], code, NULL, code + 232, 1, 0);
}

/* A runtime with room for one interpreter of 64 words, its last member. */
START_TEST(the_state_of_the_gil_is_looked_up)
{
	uint64_t words[WORDS], runtime[WORDS + 64] = {0}, second[64] = {0};
	uint64_t *first = &runtime[WORDS];
	struct ftsan_pyabi abi;
	int32_t enabled = 0x7fffffff;

	fill_315t(words);
	words[3] = sizeof(runtime), words[5] = 119 * 8, words[6] = 64 * 8, words[8] = 16;
	words[16] = 256, words[17] = 4, words[18] = 300;
	memcpy(runtime, words, sizeof(words));
	ck_assert_int_eq(ftsan_pyabi_read(&abi, runtime, 0), 0);
	/* Not started yet; ended, and never on. */
	ck_assert_int_eq(ftsan_pygil_state(&abi, false), FTSAN_PYGIL_UNKNOWN);
	ck_assert_int_eq(ftsan_pygil_state(&abi, true), FTSAN_PYGIL_OFF);
	runtime[119] = (uintptr_t)second;
	second[2] = (uintptr_t)first;
	ck_assert_int_eq(ftsan_pygil_state(&abi, false), FTSAN_PYGIL_OFF);
	memcpy((char *)first + 260, &enabled, sizeof(enabled));
	ck_assert_int_eq(ftsan_pygil_state(&abi, false), FTSAN_PYGIL_ON);
	runtime[119] = 0;
	ck_assert_int_eq(ftsan_pygil_state(&abi, true), FTSAN_PYGIL_ON);
	/* For the time of an import only. */
	enabled = 2;
	memcpy((char *)first + 260, &enabled, sizeof(enabled));
	ck_assert_int_eq(ftsan_pygil_state(&abi, true), FTSAN_PYGIL_OFF);
	/* A ring instead of a list, a build with a GIL, an unknown one. */
	runtime[119] = (uintptr_t)second;
	second[2] = (uintptr_t)second;
	ck_assert_int_eq(ftsan_pygil_state(&abi, false), FTSAN_PYGIL_UNKNOWN);
	abi.free_threaded = false;
	ck_assert_int_eq(ftsan_pygil_state(&abi, false), FTSAN_PYGIL_ON);
	memset(&abi, 0, sizeof(abi));
	ck_assert_int_eq(ftsan_pygil_state(&abi, true), FTSAN_PYGIL_UNKNOWN);
}
END_TEST

START_TEST(walks_314t_frames)
{
	struct ftsan_pyabi abi;
	struct ftsan_pyframe out[4];
	struct world w;
	bool more;

	set_world(&w, &abi);
	ck_assert_uint_eq(ftsan_pyframes_walk(&abi, (uintptr_t)w.tstate,
					      (uintptr_t)&w.code_type, out, 4, &more),
			  2);
	ck_assert(!more);
	ck_assert_str_eq(out[0].function, "abc");
	ck_assert_str_eq(out[0].file, "abc");
	ck_assert_int_eq(out[0].line, 42);
	ck_assert(out[0].entry);
	ck_assert_int_eq(out[1].line, 41);
	ck_assert(!out[1].entry);
}
END_TEST

/* 3.15: a thread without Python frames has one that belongs to the interpreter. */
START_TEST(the_bottom_of_315t_is_no_frame)
{
	struct ftsan_pyframe out[4];
	struct ftsan_pyabi abi;
	struct world w;
	bool more;

	set_world(&w, &abi);
	set_frame(w.frame[2], NULL, NULL, NULL, 3, 0);
	w.tstate[9] = (uintptr_t)w.frame[2];
	ck_assert_uint_eq(ftsan_pyframes_walk(&abi, (uintptr_t)w.tstate,
					      (uintptr_t)&w.code_type, out, 4, &more),
			  0);
	ck_assert(!more);
	w.tstate[9] = (uintptr_t)w.frame[0];
	ck_assert_uint_eq(ftsan_pyframes_walk(&abi, (uintptr_t)w.tstate,
					      (uintptr_t)&w.code_type, out, 4, &more),
			  1);
	ck_assert(!more && out[0].entry);
}
END_TEST

START_TEST(says_when_there_are_more)
{
	struct ftsan_pyabi abi;
	struct ftsan_pyframe out[4];
	struct world w;
	bool more;

	set_world(&w, &abi);
	ck_assert_uint_eq(ftsan_pyframes_walk(&abi, (uintptr_t)w.tstate,
					      (uintptr_t)&w.code_type, out, 1, &more),
			  1);
	ck_assert(more && out[0].entry);
}
END_TEST

START_TEST(a_ring_of_frames_ends)
{
	struct ftsan_pyabi abi;
	struct ftsan_pyframe out[4];
	struct world w;
	bool more;

	set_world(&w, &abi);
	set_u64(w.frame[1] + 8, (uintptr_t)w.frame[1]);
	ck_assert_uint_eq(ftsan_pyframes_walk(&abi, (uintptr_t)w.tstate,
					      (uintptr_t)&w.code_type, out, 4, &more),
			  1);
	set_u64(w.frame[2] + 8, (uintptr_t)w.frame[2]);
	set_u64(w.frame[1] + 8, (uintptr_t)w.frame[2]);
	ck_assert_uint_eq(ftsan_pyframes_walk(&abi, (uintptr_t)w.tstate,
					      (uintptr_t)&w.code_type, out, 4, &more),
			  4);
	ck_assert(more);
}
END_TEST

START_TEST(what_is_no_code_object_ends_the_walk)
{
	struct ftsan_pyabi abi;
	struct ftsan_pyframe out[4];
	struct world w;
	bool more;

	set_world(&w, &abi);
	ck_assert_uint_eq(
		ftsan_pyframes_walk(&abi, (uintptr_t)w.tstate, 4096, out, 4, &more), 0);
	ck_assert_uint_eq(
		ftsan_pyframes_walk(&abi, 0, (uintptr_t)&w.code_type, out, 4, &more), 0);
	memset(&abi, 0, sizeof(abi));
	ck_assert_uint_eq(ftsan_pyframes_walk(&abi, (uintptr_t)w.tstate,
					      (uintptr_t)&w.code_type, out, 4, &more),
			  0);
}
END_TEST

START_TEST(a_frame_outside_its_bytecode_has_no_line)
{
	struct ftsan_pyabi abi;
	struct ftsan_pyframe out;
	struct world w;
	uintptr_t code, type;

	set_world(&w, &abi);
	code = (uintptr_t)w.code;
	type = (uintptr_t)&w.code_type;
	ck_assert(ftsan_pyframe_resolve(&abi, code, (uintptr_t)w.bytecode + 2, 1, type,
					&out));
	ck_assert_int_eq(out.line, 42);
	/* The right copy, but of another thread's index; one past the end; no such copy.
	 */
	ck_assert(ftsan_pyframe_resolve(&abi, code, (uintptr_t)w.bytecode + 2, 0, type,
					&out));
	ck_assert_int_eq(out.line, 0);
	ck_assert(ftsan_pyframe_resolve(&abi, code, (uintptr_t)w.bytecode + 16, 1, type,
					&out));
	ck_assert_int_eq(out.line, 0);
	ck_assert(
		ftsan_pyframe_resolve(&abi, code, (uintptr_t)w.bytecode, 2, type, &out));
	ck_assert_int_eq(out.line, 0);
	/* Before the first instruction: the function's own line. */
	ck_assert(ftsan_pyframe_resolve(&abi, code, (uintptr_t)w.bytecode - 2, 1, type,
					&out));
	ck_assert_int_eq(out.line, 40);
	ck_assert(
		!ftsan_pyframe_resolve(&abi, type, (uintptr_t)w.bytecode, 1, type, &out));
}
END_TEST

START_TEST(helper_frames_are_skipped)
{
	struct ftsan_pyabi abi;
	struct ftsan_pyframe out[4];
	int32_t beyond = 8;
	struct world w;
	bool more;

	set_world(&w, &abi);
	memcpy((unsigned char *)w.code + 208, &beyond, sizeof(beyond));
	ck_assert_uint_eq(ftsan_pyframes_walk(&abi, (uintptr_t)w.tstate,
					      (uintptr_t)&w.code_type, out, 4, &more),
			  0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pyabi");
	TCase *tcase = tcase_create("pyabi");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, reads_313t);
	tcase_add_test(tcase, reads_314t);
	tcase_add_test(tcase, reads_315t);
	tcase_add_test(tcase, a_table_that_is_one_word_off_is_refused);
	tcase_add_test(tcase, gil_build_has_no_thread_local_bytecode);
	tcase_add_test(tcase, hint_selects_a_built_in_table);
	tcase_add_test(tcase, unknown_cookie_is_refused);
	tcase_add_test(tcase, unknown_version_is_refused_but_named);
	tcase_add_test(tcase, zeroed_and_absurd_offsets_are_refused);
	tcase_add_test(tcase, the_state_of_the_gil_is_looked_up);
	tcase_add_test(tcase, walks_314t_frames);
	tcase_add_test(tcase, the_bottom_of_315t_is_no_frame);
	tcase_add_test(tcase, says_when_there_are_more);
	tcase_add_test(tcase, a_ring_of_frames_ends);
	tcase_add_test(tcase, what_is_no_code_object_ends_the_walk);
	tcase_add_test(tcase, a_frame_outside_its_bytecode_has_no_line);
	tcase_add_test(tcase, helper_frames_are_skipped);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
