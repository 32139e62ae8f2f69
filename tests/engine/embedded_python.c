#include "support/fake_runtime.h"

PRETEND_CPYTHON;
