/*
 * Which of an object's words are watched in which turn, when there are fewer registers
 * than words. Pure.
 */
#ifndef FTSAN_RULES_WATCH_TURN_H
#define FTSAN_RULES_WATCH_TURN_H

/**
 * ftsan_rule_watch_turn() - the place in a list of words of the turn's next word
 * @words:     length of the list, not 0
 * @always:    the first of them, which are there in every turn as far as they fit
 * @registers: words that can be watched at a time
 * @turn:      any number; of the others each comes in one of so many turns in a row as
 *             they fill the registers that are left
 * @i:         less than both @words and @registers
 *
 * Return: less than @words; another one for each @i of a turn.
 */
unsigned ftsan_rule_watch_turn(unsigned words, unsigned always, unsigned registers,
			       unsigned turn, unsigned i);

#endif
