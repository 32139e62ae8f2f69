/*
 * The room of the detection rules: pure functions over recorded data. Everything that
 * decides whether something is a finding, or is worth looking for, is here, and nothing
 * else is.
 *
 * May use: base.
 * Held: nothing; no rule reads anything but its arguments.
 */
#ifndef FTSAN_RULES_ROOM_H
#define FTSAN_RULES_ROOM_H

#include "rules/access.h"
#include "rules/crash_rules.h"
#include "rules/delay.h"
#include "rules/effort.h"
#include "rules/freed_rules.h"
#include "rules/proof.h"
#include "rules/sampled.h"
#include "rules/static_pair.h"
#include "rules/static_store.h"
#include "rules/verdict.h"
#include "rules/watch_turn.h"

#endif
