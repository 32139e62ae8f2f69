#include "rules/watch_turn.h"

unsigned ftsan_rule_watch_turn(unsigned words, unsigned always, unsigned registers,
			       unsigned turn, unsigned i)
{
	unsigned others = words - always, room, turns;

	if (i < always || registers <= always)
		return i;
	room = registers - always;
	turns = (others + room - 1) / room;
	return always + (turn % turns * room + i - always) % others;
}
