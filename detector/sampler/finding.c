#include "sampler/finding.h"

#include "base/base.h"
#include "findings/findings.h"
#include "sampler/focus.h"
#include "sampler/other.h"
#include "sampler/words.h"
#include "threads/threads.h"
#include "words/words.h"

static bool low_grade;
static ftsan_sample_namer name_field;

void ftsan_sample_finding_names(ftsan_sample_namer by)
{
	name_field = by;
}

void ftsan_sample_finding_init(bool low)
{
	low_grade = low;
}

static struct ftsan_party party_of(const struct ftsan_sample_party *party)
{
	const struct ftsan_thread *thread = ftsan_thread_at(party->index);

	return (struct ftsan_party){
		.role = party->access.role,
		.tid = party->tid,
		.name = thread == NULL ? "" : thread->name,
		.access = &party->access,
		.stack = &party->stack,
	};
}

static void sentence(char *storage, size_t capacity, const char *begin, const char *rest)
{
	struct ftsan_buf text;

	ftsan_buf_init(&text, storage, capacity);
	ftsan_buf_str(&text, begin);
	ftsan_buf_str(&text, rest);
	ftsan_buf_char(&text, '.');
	(void)ftsan_buf_cstr(&text);
}

/* A field that another engine watches, too, is called what that one calls it, so that one
 * bug stays one finding: which engine is first is chance. */
static bool has_name(const struct ftsan_memory *memory, struct ftsan_object *object)
{
	char type[FTSAN_TYPE_NAME];

	return memory->kind == FTSAN_MEMORY_OBJECT && name_field != NULL &&
	       ftsan_memory_type_name(memory->type, type) &&
	       name_field(type, memory->object, ftsan_memory_offset(memory), object);
}

/*
 * @name: gets a static's, FTSAN_SYMBOL_MAX bytes: the engine of statics calls it that,
 * too, and a bug has one name in every mode.
 */
static void describe(const struct ftsan_memory *memory, struct ftsan_object *object,
		     char *name)
{
	bool is_static = memory->kind == FTSAN_MEMORY_STATIC;
	struct ftsan_buf text;

	name[0] = '\0';
	ftsan_object_clear(object);
	if (has_name(memory, object))
		return;
	ftsan_buf_init(&text, is_static ? name : object->subject,
		       is_static ? FTSAN_SYMBOL_MAX : sizeof(object->subject));
	ftsan_memory_identity(memory, &text);
	(void)ftsan_buf_cstr(&text);
	ftsan_buf_init(&text, object->description, sizeof(object->description));
	ftsan_memory_describe(memory, &text);
	(void)ftsan_buf_cstr(&text);
}

static void say_evidence(char *storage, size_t capacity, enum ftsan_plain_proof proof,
			 const struct ftsan_hold *hold)
{
	struct ftsan_buf text;

	ftsan_buf_init(&text, storage, capacity);
	ftsan_buf_str(&text, proof == FTSAN_PROOF_NONE ? "It may be by design: "
						       : "No atomics: ");
	ftsan_buf_str(&text, ftsan_plain_proof_name(proof));
	ftsan_buf_str(&text, ". To see it alone: --options mode=race:focus=");
	if (ftsan_focus_put(&text, hold->held.site) && hold->other.site != 0 &&
	    hold->other.site != hold->held.site) {
		ftsan_buf_char(&text, ',');
		(void)ftsan_focus_put(&text, hold->other.site);
	}
	(void)ftsan_buf_cstr(&text);
}

/* @met: false: the word has changed, and who stored is not known. */
static bool write_finding(const struct ftsan_hold *hold,
			  const struct ftsan_memory *memory,
			  const struct ftsan_sampled_question *question,
			  enum ftsan_sampled_verdict verdict,
			  enum ftsan_plain_proof proof, bool met)
{
	char note[384], evidence[384], name[FTSAN_SYMBOL_MAX];
	struct ftsan_object object;
	/* Who stores comes first: the reader is where it shows, not where it is wrong. */
	bool held_first = !met || question->held.writes || !question->other.writes;
	struct ftsan_incident incident = {
		.kind = FTSAN_KIND_RACE,
		.confidence = met ? FTSAN_CONFIRMED : FTSAN_PROBABLE,
		.address = hold->word,
		.object = &object,
		.grade = verdict == FTSAN_SAMPLED_RACE ? "high" : "low",
		.headline = met ? NULL : "value changed, unknown origin,",
		.note = note,
		.advice = evidence,
		.has_old = true,
		.has_new = true,
		.old_value = ftsan_watch_shown(hold->before, hold->length),
		.new_value = ftsan_watch_shown(hold->after, hold->length),
		.n_parties = met ? 2 : 1,
		.parties = {party_of(held_first ? &hold->held : &hold->other),
			    party_of(held_first ? &hold->other : &hold->held)},
	};

	sentence(note, sizeof(note),
		 met ? "What can go wrong: "
		     : "The value changed while the thread was held before its access; "
		       "who "
		       "stored is not known, as it came to no instruction that is "
		       "sampled. "
		       "What can go wrong: ",
		 ftsan_rule_sampled_harm(question));
	say_evidence(evidence, sizeof(evidence), proof, hold);
	describe(memory, &object, name);
	if (name[0] != '\0')
		incident.name = name;
	return ftsan_report(&incident);
}

static bool points(uint64_t value)
{
	uint64_t unused;

	return value >= FTSAN_PAGE && value < FTSAN_CPU_USER_END &&
	       ftsan_safe_u64((uintptr_t)value, &unused);
}

/* A value that was stored again may be another one the next time that they meet. */
static void note_vain(enum ftsan_sampled_verdict verdict, uint64_t key, uintptr_t pc)
{
	if (verdict == FTSAN_SAMPLED_HARMLESS && ftsan_words_may_differ(key)) {
		ftsan_words_forget_fruitless(key);
		ftsan_words_forget_fruitless(ftsan_words_site_key(pc));
	} else {
		ftsan_words_note_fruitless(key);
		ftsan_words_note_fruitless(ftsan_words_site_key(pc));
	}
}

static void ask(struct ftsan_sampled_question *question, struct ftsan_hold *hold,
		const struct ftsan_memory *memory, uint64_t key, const void *ucontext)
{
	uintptr_t pc = ftsan_context_ip(ucontext);

	*question = (struct ftsan_sampled_question){
		.held = hold->held.side,
		.other = hold->other.side,
		.plain_before = ftsan_words_was_plain(key),
		.updated_before = ftsan_words_was_updated(memory),
		.read_before = ftsan_words_was_read(key),
		.reference = hold->length == 8 && ftsan_memory_is_object(hold->before),
		.changed = hold->before != hold->after,
		.global = memory->kind == FTSAN_MEMORY_STATIC,
		.pointers = points(hold->before) && points(hold->after),
		.before = hold->before,
		.after = hold->after,
		.size = hold->length,
		.whole = hold->kept,
	};
	hold->held.site = pc;
	question->held.varies = ftsan_words_varies(pc, hold->around);
	ftsan_side_note_update(&question->held, pc);
	ftsan_side_note_test(&question->held, pc);
	ftsan_side_note_mask(&question->held, pc, ucontext);
	ftsan_side_note_store(&question->held, &hold->held.access, hold->before,
			      hold->length, ucontext);
	if (hold->whole_known)
		ftsan_side_note_wide(&question->held, &hold->held.access, hold->whole,
				     ucontext);
}

static void capture_held(struct ftsan_hold *hold, const void *ucontext)
{
	struct ftsan_thread *self = ftsan_thread_at(hold->held.index);

	ftsan_stack_capture(&hold->held.stack, ucontext);
	if (self != NULL)
		ftsan_thread_read_name(self);
}

void ftsan_sample_changed(struct ftsan_hold *hold, const struct ftsan_memory *memory,
			  uint64_t key, const void *ucontext)
{
	struct ftsan_sampled_question question;
	enum ftsan_plain_proof proof;
	enum ftsan_sampled_verdict verdict;

	/* What is mapped may be changed by the kernel, or by another process. */
	if (hold->before == hold->after || memory->kind == FTSAN_MEMORY_UNKNOWN)
		return;
	/* Of whose module nothing is known, nor how it has stored. */
	hold->other = (struct ftsan_sample_party){
		.side = {.writes = true,
			 .form = FTSAN_ACCESS_UNKNOWN,
			 .lock_free = true,
			 .folds = true,
			 .interpreter = hold->held.side.interpreter}};
	ask(&question, hold, memory, key, ucontext);
	verdict = ftsan_rule_sampled(&question, &proof);
	if (verdict != FTSAN_SAMPLED_RACE)
		return;
	ftsan_count(sampler_changed);
	capture_held(hold, ucontext);
	(void)write_finding(hold, memory, &question, verdict, proof, false);
}

void ftsan_sample_finding(struct ftsan_hold *hold, const struct ftsan_memory *memory,
			  uint64_t key, const void *ucontext)
{
	struct ftsan_sampled_question question;
	enum ftsan_plain_proof proof;
	enum ftsan_sampled_verdict verdict;

	ask(&question, hold, memory, key, ucontext);
	verdict = ftsan_rule_sampled(&question, &proof);
	if (verdict == FTSAN_SAMPLED_NOTHING)
		return;
	if (verdict == FTSAN_SAMPLED_POSSIBLY_ATOMIC)
		ftsan_count(sampler_possible);
	if (verdict == FTSAN_SAMPLED_HARMLESS)
		ftsan_count(sampler_harmless);
	if (verdict != FTSAN_SAMPLED_RACE && !low_grade) {
		note_vain(verdict, key, ftsan_context_ip(ucontext));
		return;
	}
	capture_held(hold, ucontext);
	if (write_finding(hold, memory, &question, verdict, proof, true))
		ftsan_words_settle(key);
}
