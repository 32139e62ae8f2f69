#include "crash/crash.h"

#include <string.h>

#include "base/base.h"
#include "crash/fault.h"
#include "findings/findings.h"
#include "rules/rules.h"
#include "stacks/stacks.h"
#include "view/view.h"

/* One process dies once; a hang is told once, too. */
static struct {
	struct ftsan_fault fault;
	struct ftsan_party others[FTSAN_BYSTANDERS_MAX];
	struct ftsan_incident incident;
	struct ftsan_view_death death;
	unsigned first; /* witness that it is about */
	char title[400];
	char detail[400];
	char place[FTSAN_SYMBOL_MAX + 64];
	char second[FTSAN_SYMBOL_MAX + 64];
} work;

static struct ftsan_deed deed_of(const struct ftsan_witness *witness)
{
	const struct ftsan_doing *doing = &witness->doing;

	return (struct ftsan_deed){
		.function = doing->function,
		.module =
			doing->builtin ? 0 : (uintptr_t)ftsan_module_of(doing->function),
		.object = doing->object,
		.others = doing->others,
		.n_others = doing->n_others,
	};
}

/* The thread that has most in common with the first; the first: none has anything. */
static unsigned nearest(const struct ftsan_death *death, enum ftsan_relation *relation)
{
	struct ftsan_deed first = deed_of(&death->witness[work.first]);
	unsigned best = work.first;

	*relation = FTSAN_UNRELATED;
	for (unsigned i = 0; i < death->n_witnesses; i++) {
		struct ftsan_deed other = deed_of(&death->witness[i]);
		enum ftsan_relation now = ftsan_relate(&first, &other);

		if (i != work.first && now > *relation) {
			*relation = now;
			best = i;
		}
	}
	return best;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static bool is_libc(const struct ftsan_module *module)
{
	struct ftsan_view_frame frame = {.module = module->path};

	return ftsan_view_is_libc(&frame);
}

/* Where a thread is, when its operation is not known: the first function that is named.
 */
static void native_place(const struct ftsan_stack *stack, struct ftsan_buf *out)
{
	char name[FTSAN_SYMBOL_MAX];

	for (unsigned i = 0; i < stack->n_native; i++) {
		uintptr_t pc = stack->pc[i] - (i > 0);
		const struct ftsan_module *module = ftsan_module_of(pc);

		if (module == NULL || is_libc(module))
			continue;
		if (ftsan_symbol_name(pc, name) == 0) {
			ftsan_buf_str(out, name);
			return;
		}
		ftsan_buf_str(out, base_name(module->path));
		ftsan_buf_char(out, '+');
		ftsan_buf_hex(out, pc - module->bias);
		return;
	}
	ftsan_buf_str(out,
		      stack->n_python > 0 ? stack->python[0].function : "unknown code");
}

static const char *place_of(const struct ftsan_witness *witness, char *storage,
			    size_t size)
{
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, storage, size);
	if (witness->doing.name[0] != '\0')
		ftsan_buf_str(&buf, witness->doing.name);
	else
		native_place(&witness->stack, &buf);
	return ftsan_buf_cstr(&buf);
}

static void put_thread(struct ftsan_buf *buf, const struct ftsan_witness *witness)
{
	if (witness->tid == ftsan_sys_getpid()) {
		ftsan_buf_str(buf, "the main thread");
		return;
	}
	ftsan_buf_str(buf, "thread ");
	ftsan_buf_i64(buf, witness->tid);
	if (witness->name[0] != '\0') {
		ftsan_buf_str(buf, " ('");
		ftsan_buf_str(buf, witness->name);
		ftsan_buf_str(buf, "')");
	}
}

static const char *const relation_words[] = {
	[FTSAN_UNRELATED] = "",
	[FTSAN_SAME_MODULE] = " of the same module",
	[FTSAN_SAME_METHOD] = " of another object",
	[FTSAN_SAME_FUNCTION] = ", the same function",
	[FTSAN_SHARED_ARGUMENT] = ", both with the same object",
	[FTSAN_SAME_OBJECT] = " of the same object",
};

static const char *const relation_names[] = {
	[FTSAN_UNRELATED] = NULL,
	[FTSAN_SAME_MODULE] = "module",
	[FTSAN_SAME_METHOD] = "method",
	[FTSAN_SAME_FUNCTION] = "function",
	[FTSAN_SHARED_ARGUMENT] = "argument",
	[FTSAN_SAME_OBJECT] = "object",
};

static const char *make_title(const struct ftsan_death *death, unsigned second,
			      enum ftsan_relation relation)
{
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, work.title, sizeof(work.title));
	if (death->signal != 0) {
		ftsan_buf_str(&buf, ftsan_signal_name(death->signal));
	} else {
		ftsan_buf_str(&buf, "no end after ");
		ftsan_buf_u64(&buf, death->seconds);
		ftsan_buf_str(&buf, " s,");
	}
	ftsan_buf_str(&buf, " in ");
	ftsan_buf_str(&buf, place_of(&death->witness[work.first], work.place,
				     sizeof(work.place)));
	if (second != work.first) {
		ftsan_buf_str(&buf, " while ");
		put_thread(&buf, &death->witness[second]);
		ftsan_buf_str(&buf, " was in ");
		ftsan_buf_str(&buf, place_of(&death->witness[second], work.second,
					     sizeof(work.second)));
		ftsan_buf_str(&buf, relation_words[relation]);
	}
	return ftsan_buf_cstr(&buf);
}

static void put_access(struct ftsan_buf *buf, const struct ftsan_fault *fault)
{
	ftsan_buf_str(buf, fault->access.role == FTSAN_ROLE_WRITE ? "write" : "read");
	if (fault->access.exact) {
		ftsan_buf_str(buf, " of ");
		ftsan_buf_u64(buf, fault->access.size);
		ftsan_buf_str(buf, fault->access.size == 1 ? " byte" : " bytes");
	}
	ftsan_buf_str(buf, " at ");
	ftsan_buf_str(buf, fault->operand);
}

static void put_pointer(struct ftsan_buf *buf, const struct ftsan_fault *fault)
{
	if (fault->reg[0] != '\0') {
		ftsan_buf_str(buf, buf->length > 0 ? ": " : "");
		ftsan_buf_str(buf, fault->reg);
		ftsan_buf_str(buf, " = ");
		ftsan_buf_hex(buf, fault->value);
		ftsan_buf_str(buf, " is ");
	} else if (buf->length > 0) {
		ftsan_buf_str(buf, ": ");
	}
	ftsan_buf_str(buf, fault->pointer.text);
}

/* "read of 8 bytes at [rbx+0x18]: rbx = 0x0 is NULL", or what was said before. */
static const char *make_detail(const struct ftsan_death *death,
			       const struct ftsan_fault *fault)
{
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, work.detail, sizeof(work.detail));
	if (fault->facts.fetch)
		ftsan_buf_str(&buf, "a jump to no code");
	else if (fault->has_access)
		put_access(&buf, fault);
	if (fault->pointer.kind != FTSAN_POINTER_NONE)
		put_pointer(&buf, fault);
	if (death->signal == SIGABRT && death->message != NULL)
		ftsan_buf_str(&buf, death->message);
	if (fault->sender != 0 && !fault->facts.by_itself) {
		ftsan_buf_str(&buf, "sent by process ");
		ftsan_buf_i64(&buf, fault->sender);
	}
	while (buf.length > 0 && buf.text[buf.length - 1] == '\n')
		buf.length--;
	return ftsan_buf_cstr(&buf);
}

static struct ftsan_party party_of(const struct ftsan_witness *witness,
				   enum ftsan_role role)
{
	return (struct ftsan_party){
		.role = role,
		.tid = witness->tid,
		.name = witness->name,
		.stack = &witness->stack,
		.operation = witness->doing.name,
		.object = witness->doing.object,
		.type = witness->doing.type,
	};
}

static void add_parties(struct ftsan_incident *incident, const struct ftsan_death *death,
			unsigned second)
{
	incident->parties[0] =
		party_of(&death->witness[work.first],
			 death->signal != 0 ? FTSAN_ROLE_CRASH : FTSAN_ROLE_CALL);
	if (work.fault.has_access)
		incident->parties[0].access = &work.fault.access;
	incident->n_parties = 1;
	if (second != work.first)
		incident->parties[incident->n_parties++] =
			party_of(&death->witness[second], FTSAN_ROLE_CALL);
	incident->others = work.others;
	for (unsigned i = 0; i < death->n_witnesses; i++)
		if (i != second && i != work.first &&
		    incident->n_others < FTSAN_BYSTANDERS_MAX)
			work.others[incident->n_others++] =
				party_of(&death->witness[i], FTSAN_ROLE_CALL);
}

static enum ftsan_confidence confidence_of(enum ftsan_certainty certainty)
{
	switch (certainty) {
	case FTSAN_IS_CONFIRMED:
		return FTSAN_CONFIRMED;
	case FTSAN_IS_PROBABLE:
		return FTSAN_PROBABLE;
	default:
		return FTSAN_UNKNOWN;
	}
}

static bool holds(const struct ftsan_witness *witness, uintptr_t lock)
{
	for (unsigned i = 0; i < witness->n_held; i++)
		if (witness->held[i] == lock)
			return true;
	return false;
}

/* Who holds the lock that @i waits for; @i: nobody, or it is not known. */
static unsigned holder(const struct ftsan_death *death, unsigned i)
{
	uintptr_t lock = death->witness[i].waits_for;

	for (unsigned k = 0; lock != 0 && k < death->n_witnesses; k++)
		if (k != i && holds(&death->witness[k], lock))
			return k;
	return i;
}

static void put_wait(struct ftsan_buf *buf, const struct ftsan_death *death, unsigned i)
{
	unsigned by = holder(death, i);

	if (by == i)
		return;
	ftsan_buf_str(buf, buf->length > 0 ? "; " : "");
	put_thread(buf, &death->witness[i]);
	ftsan_buf_str(buf, " waits for the lock at ");
	ftsan_buf_hex(buf, death->witness[i].waits_for);
	ftsan_buf_str(buf, ", which ");
	put_thread(buf, &death->witness[by]);
	ftsan_buf_str(buf, " holds");
}

static const char *make_waits(const struct ftsan_death *death)
{
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, work.detail, sizeof(work.detail));
	for (unsigned i = 0; i < death->n_witnesses; i++)
		put_wait(&buf, death, i);
	return ftsan_buf_cstr(&buf);
}

static void fill_death(const struct ftsan_death *death,
		       const struct ftsan_crash_verdict *verdict,
		       enum ftsan_relation relation, unsigned second)
{
	const struct ftsan_fault *fault = &work.fault;

	work.death = (struct ftsan_view_death){
		.signal = death->signal != 0 ? ftsan_signal_name(death->signal) : NULL,
		.cause = verdict->sentence,
		.detail = death->signal != 0 ? make_detail(death, fault)
					     : make_waits(death),
		.race = verdict->race,
		.relation = relation_names[relation],
		.reg = fault->reg,
		.value = fault->value,
		.silent = death->silent,
		.n_silent = death->n_silent,
		.untold = death->untold,
		.n_guilty = second != work.first && (relation > FTSAN_SAME_MODULE ||
						     death->signal == 0)
				    ? 2
				    : 1,
	};
}

/* A circle of two: each holds what the other waits for. */
static bool is_deadlock(const struct ftsan_death *death, unsigned *a, unsigned *b)
{
	for (unsigned i = 0; i < death->n_witnesses; i++) {
		unsigned by = holder(death, i);

		if (by == i || holder(death, by) != i)
			continue;
		*a = i;
		*b = by;
		return true;
	}
	return false;
}

/* Of a hang: the two that are at one thing, whoever was asked first. */
static unsigned choose_first(const struct ftsan_death *death, unsigned *second,
			     enum ftsan_relation *relation)
{
	unsigned best = 0;

	*second = 0;
	*relation = FTSAN_UNRELATED;
	for (unsigned i = 0; i < death->n_witnesses; i++) {
		enum ftsan_relation now;
		unsigned other;

		work.first = i;
		other = nearest(death, &now);
		if (now > *relation && now > FTSAN_SAME_METHOD) {
			*relation = now;
			*second = other;
			best = i;
		}
	}
	if (*relation == FTSAN_UNRELATED)
		*second = best;
	return best;
}

bool ftsan_crash_report(const struct ftsan_death *death)
{
	struct ftsan_incident *incident = &work.incident;
	struct ftsan_crash_verdict verdict = {.sentence = NULL};
	enum ftsan_relation relation;
	unsigned second;

	memset(&work, 0, sizeof(work));
	second = death->signal != 0 ? nearest(death, &relation) : 0;
	if (death->signal == 0) {
		work.first = choose_first(death, &second, &relation);
		if (is_deadlock(death, &work.first, &second))
			verdict.sentence =
				"two threads wait for each other's locks: a deadlock";
		else
			verdict.sentence = "nothing says why";
	}
	if (death->signal != 0) {
		ftsan_fault_look(&work.fault, death->signal, death->info, death->ucontext,
				 death->message);
		work.fault.facts.relation = relation;
		verdict = ftsan_crash_judge(&work.fault.facts);
	}
	fill_death(death, &verdict, relation, second);
	incident->kind = death->signal == 0 ? FTSAN_KIND_HANG
			 : verdict.cause == FTSAN_CAUSE_USE_AFTER_FREE
				 ? FTSAN_KIND_USE_AFTER_FREE
				 : FTSAN_KIND_CRASH;
	incident->confidence =
		death->signal != 0 ? confidence_of(verdict.certainty) : FTSAN_CONFIRMED;
	incident->address = work.fault.has_access ? work.fault.access.address : 0;
	incident->title = make_title(death, second, relation);
	incident->description = work.fault.pointer.kind != FTSAN_POINTER_NONE
					? work.fault.pointer.text
					: NULL;
	incident->death = &work.death;
	add_parties(incident, death, second);
	return ftsan_report(incident);
}
