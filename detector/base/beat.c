#include "base/beat.h"

void (*ftsan_beat)(void);

void ftsan_beat_set(void (*beat)(void))
{
	ftsan_beat = beat;
}
