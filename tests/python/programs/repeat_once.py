"""One thread, one call: nothing can go wrong here. Or so it looks."""

import numpy as np

np.repeat(np.arange(10), 2)
