/* What a session keeps: see session.h for what it is. */
#ifndef FTSAN_TOOLS_SESSION_STATE_H
#define FTSAN_TOOLS_SESSION_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/common.h"
#include "log/log.h"

/* Whether a process watched anything, and why not: the gravest reason first. */
enum ftsan_sight {
	FTSAN_SEES,
	FTSAN_BLIND_PYTHON,	  /* its CPython is not known */
	FTSAN_BLIND_ENGINES,	  /* the engines are off, or could not start */
	FTSAN_BLIND_GIL,	  /* and races were looked for */
	FTSAN_BLIND_NO_ARRAY,	  /* though NumPy was loaded */
	FTSAN_BLIND_SHORT,	  /* no array was there long enough */
	FTSAN_BLIND_ONE_THREAD,	  /* and races were looked for */
	FTSAN_BLIND_ONE_IN_CODE,  /* no second one ran what the sampler watches */
	FTSAN_BLIND_NOT_COVERED,  /* other extension modules only */
	FTSAN_BLIND_NO_EXTENSION, /* none at all */
	FTSAN_BLIND_UNTOLD,	  /* it died, and had told nothing yet */
	FTSAN_SIGHTS,
};

/**
 * struct ftsan_sight_question - what is known of a process, to say whether it saw
 * @python_known: its layouts are
 * @engines_off:  no engine was active
 * @findings:     records of findings, suppressed ones too
 * @told:         there is a coverage record
 * @latent:       hazards were looked for
 * @gil_on:       at the end
 * @numpy:        was loaded
 * @sampled:      the sampler was active, which any extension module is enough for
 * @extensions:   modules
 * @threads:      that worked with arrays
 * @buffers_seen: arrays, as far as ftsan could see them being made
 * @anytime, @race: what was watched (detector/base/watched.def)
 */
struct ftsan_sight_question {
	bool python_known, engines_off, told;
	bool latent, gil_on, numpy, sampled;
	uint64_t findings, extensions, threads, buffers_seen;
	uint64_t anytime, race;
};

/**
 * struct ftsan_module_seen - functions of a module that use memory
 * @seen:   of these, threads ran
 * @shared: of these, on memory that another thread uses
 */
struct ftsan_module_seen {
	uint64_t functions, seen, shared;
};

/**
 * struct ftsan_coverage - what processes watched
 * @processes:  with a coverage record
 * @sights:     processes by what they saw
 * @watched:    what those that saw watched, with % for the number, and how much
 * @extensions: modules that were loaded where nothing was watched, some of them
 * @children_lost: programs that children were started with, without ftsan; some of
 *              @n_children_lost
 * @unread:     files with @n_unread words of statics whose loads were not seen
 * @refused:    why the layouts of a CPython are not known
 * @sums:       every number of the records, by its name
 * @left_out:   reasons and how many buffers they cost
 * @requesters: modules that asked for the GIL
 * @gil:        processes in which it was off, on, unknown at the end
 * @module_paths, @modules: sampled modules; numbers as in @module_paths
 */
struct ftsan_coverage {
	uint64_t processes;
	uint64_t sights[FTSAN_SIGHTS];
	struct ftsan_names watched;
	struct ftsan_names extensions;
	struct ftsan_names refused;
	struct ftsan_names children_lost;
	uint64_t n_children_lost;
	struct ftsan_names unread;
	uint64_t n_unread;
	struct ftsan_names sums;
	struct ftsan_names left_out;
	struct ftsan_names requesters;
	uint64_t gil[3];
	struct ftsan_names module_paths;
	struct ftsan_module_seen *modules;
	size_t modules_capacity;
};

enum { FTSAN_GIL_OFF, FTSAN_GIL_ON, FTSAN_GIL_UNKNOWN };

/* struct ftsan_engine_state - what @processes said of an engine in the same words */
struct ftsan_engine_state {
	char *name, *reason, *detail;
	bool active, canary_known, canary;
	uint64_t processes;
};

/* struct ftsan_module_entry - where a module was, and which build; strings are owned */
struct ftsan_module_entry {
	char *path;
	char *build_id; /* NULL when the log gives none */
};

/* struct ftsan_module_list - numbers of the modules that one process told of */
struct ftsan_module_list {
	size_t *numbers;
	size_t n, capacity;
};

/**
 * struct ftsan_found - one bug: one fingerprint
 * @kind, @confidence, @fingerprint: owned; the confidence is the best that was seen, the
 *               kind goes with it
 * @headline:    what the best record is called, owned
 * @also:        another name of it, owned; NULL: it has none
 * @culprit, @culprit_module: the function to blame and its module, owned; NULL: not known
 * @records:     a process writes one for each sort of evidence
 * @processes:   that wrote records
 * @repeats:     further occurrences in the processes that said so
 * @hidden:      processes all of whose records a suppression matched; when it is all of
 *               them, the finding is suppressed
 * @evidence:    what the records showed, and how many each
 * @first, @last: times of the records; 0 when they carry none
 * @tests:       tests that the records name, and how many records each
 * @between:     a record says that no test was running
 * @line:        the best record as it stood in the log, @length bytes
 * @modules:     of the process that wrote it
 * @printed:     rank of the confidence that was printed, plus one; 0: nothing was
 */
struct ftsan_found {
	char *kind;
	char *confidence;
	char *fingerprint;
	char *headline;
	char *also;
	char *culprit, *culprit_module;
	uint64_t records;
	uint64_t processes;
	uint64_t repeats;
	uint64_t hidden;
	double first, last;
	struct ftsan_names tests;
	struct ftsan_names evidence;
	char *line;
	size_t length;
	struct ftsan_module_list modules;
	int printed;
	bool between;
};

/**
 * struct ftsan_met - a finding of one process of a log file, of the last one that had it
 * @found:   number in the session
 * @process: the process's number in the session
 * @records: how many it wrote
 * @judged, @told: how many of these a suppression of ours, or of the plugin's, matched
 * @hidden:  suppressions matched all of them
 * @running: the tests that ran then, when a `test` record is to be expected; it tells
 *           more. NULL when there are none, or when it came
 */
struct ftsan_met {
	size_t found;
	uint64_t process;
	uint64_t records, judged, told;
	bool hidden;
	json_t *running;
};

/**
 * struct ftsan_source - the state of one log file
 * @accept:    the records belong to the run that is looked at
 * @open:      a process is being read that has not ended its log
 * @pid, @process: of that process, and its number in the session
 * @engines, @findings: records of it
 * @engines_on: of the engines, those that are active; @sampled: the sampler is
 * @python_known, @latent: what its process record says
 * @coverage:  its last record as it stands in the log, empty when there is none
 * @gil:       at its start
 * @running:   tests that run now, NULL where no plugin says so
 * @met:       findings; numbers as in @met_names
 * @to_print:  numbers of @met whose findings may have to be printed
 * @lines, @bad_lines, @first_bad, @newer_lines: of the file; bad ones are no records of
 *             this version, newer ones of a later version
 */
struct ftsan_source {
	bool accept;
	bool open;
	int pid;
	uint64_t process;
	size_t engines, engines_on, findings;
	bool python_known, latent, sampled;
	char *coverage;
	size_t coverage_length, coverage_capacity;
	int gil;
	struct ftsan_module_list modules;
	json_t *running;
	struct ftsan_names met_names;
	struct ftsan_met *met;
	size_t met_capacity;
	size_t *to_print, n_to_print, to_print_capacity;
	uint64_t lines, bad_lines, first_bad, newer_lines;
};

struct ftsan_session;

/**
 * struct ftsan_occurrence - a finding's record, as it is handed out
 * @modules: of its process
 * @tests:   a list of strings or NULL
 */
struct ftsan_occurrence {
	const struct ftsan_session *session;
	struct ftsan_finding_record *record;
	const struct ftsan_module_list *modules;
	const json_t *tests;
};

/* Is this occurrence suppressed? Its frames may be improved upon. */
typedef bool (*ftsan_session_judge)(void *argument,
				    const struct ftsan_occurrence *occurrence);

/* Is what occurred in these tests suppressed for that reason? */
typedef bool (*ftsan_session_judge_tests)(void *argument, const char *fingerprint,
					  const json_t *tests);

/* Called for each finding to print; its frames may be improved upon. */
typedef void (*ftsan_session_finding)(void *argument,
				      const struct ftsan_occurrence *occurrence);

/* struct ftsan_death - a process that a signal has ended */
struct ftsan_death {
	int pid, signal;
};

enum { FTSAN_DEATHS_KEPT = 16 };

enum { FTSAN_UNENDED_NAMED = 5, FTSAN_COMMANDS_KEPT = 32 };

/**
 * struct ftsan_session - the run
 * @run:          borrowed; records of other runs are left out. NULL: take everything
 * @judge:        NULL: nothing is suppressed
 * @judge_tests:  of its tests, when they get known later. NULL: likewise
 * @on_finding:   NULL, or called for the first and for each better proof of a
 *                fingerprint, unless it is suppressed
 * @argument:     of all of them
 * @hidden_by:    suppressions of the pytest plugin's that matched, and how many records
 * @n_shown:      findings that are not suppressed
 * @n_attached:   processes that ran already when ftsan came
 * @fingerprints: numbers as in @found
 * @aliases, @alias_of: other names of findings, and whose they are
 * @silent:       processes that named no engine
 * @unended:      processes without an end record, the first few by pid
 * @unended_tests: the tests that they ran last, owned; NULL: unknown
 * @deaths:       processes that died of a signal, the first few of @n_deaths
 * @lost:         findings that end records count and the log has not
 * @runs, @pythons, @versions: distinct ones
 * @commands:     the first command lines of roots
 * @first, @last: when the first and the last process began; 0 when none said so
 * @bad_lines:    lines that are no records
 */
struct ftsan_session {
	const char *run;
	ftsan_session_judge judge;
	ftsan_session_judge_tests judge_tests;
	ftsan_session_finding on_finding;
	void *argument;
	uint64_t n_processes, n_attached;
	struct ftsan_found *found;
	size_t n_found, found_capacity, n_shown;
	struct ftsan_names fingerprints;
	struct ftsan_names aliases;
	size_t *alias_of, alias_capacity;
	struct ftsan_module_entry *modules;
	size_t n_modules, modules_capacity;
	struct ftsan_names module_keys;
	struct ftsan_engine_state *engines;
	size_t n_engines, engines_capacity;
	uint64_t silent;
	struct ftsan_coverage coverage;
	uint64_t n_unended;
	int unended[FTSAN_UNENDED_NAMED];
	json_t *unended_tests[FTSAN_UNENDED_NAMED];
	struct ftsan_death deaths[FTSAN_DEATHS_KEPT];
	uint64_t n_deaths;
	json_int_t lost;
	struct ftsan_names runs, pythons, versions, commands, hidden_by;
	double first, last;
	uint64_t bad_lines;
};

/* 0: not known. */
static inline void ftsan_note_time(double *first, double *last, double time)
{
	if (time <= 0)
		return;
	if (*first <= 0 || time < *first)
		*first = time;
	if (time > *last)
		*last = time;
}

#endif
