#include "statics/store.h"

struct static_config static_config; /* set once at start */
