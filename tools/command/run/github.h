/* What a run leaves in GitHub Actions without being asked: annotations, a summary. */
#ifndef FTSAN_TOOLS_GITHUB_H
#define FTSAN_TOOLS_GITHUB_H

#include "live/live.h"

/* Nothing elsewhere, nor inside another run. Trouble is told and changes nothing. */
void ftsan_github_report(const struct ftsan_live *live);

#endif
