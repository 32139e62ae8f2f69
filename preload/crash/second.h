/* Looks for the thread that is at what the dying one is at. */
#ifndef FTSAN_PRELOAD_SECOND_H
#define FTSAN_PRELOAD_SECOND_H

#include "crash/ask.h"
#include "crash/crash.h"

/**
 * ftsan_look_for_second() - ask the others again, while nothing explains the death
 * @death: with the witnesses of @best; its witnesses are changed
 * @best:  the answers so far; gets those that say more
 *
 * Others go on until they are asked, and may have left what they did to the object. The
 * dying thread has not left what it does, and never will: who comes to the same object
 * meanwhile, and is not kept out by a lock, is there at the same time.
 *
 * Context: as ftsan_ask_all(); some tenths of a second at most.
 */
void ftsan_look_for_second(struct ftsan_death *death, struct ftsan_asked *best);

#endif
