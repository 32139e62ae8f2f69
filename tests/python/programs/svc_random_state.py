"""svc_random_state.py [FITS] [THREADS]: SVC(probability=True, random_state=0) in threads, each
with its own estimator. libsvm's generator is one static of the module, and it is seeded and
drawn from with the GIL released. Needs scikit-learn; wrong counts fits that differ from alone.
"""
import sys
import threading
import warnings

import numpy as np
from sklearn.svm import SVC

warnings.simplefilter("ignore")
fits = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
threads = int(sys.argv[2]) if len(sys.argv) > 2 else 4
rng = np.random.default_rng(0)
X = rng.random((40, 3))
y = (X[:, 0] + 0.6 * rng.random(40) > 0.8).astype(int)


def fit():
    return SVC(probability=True, random_state=0).fit(X, y).predict_proba(X)


want = fit()
assert all(np.array_equal(fit(), want) for _ in range(5))
barrier = threading.Barrier(threads)
wrong = [0] * threads


def work(k):
    barrier.wait()
    for _ in range(fits):
        wrong[k] += not np.array_equal(fit(), want)


workers = [threading.Thread(target=work, args=(k,)) for k in range(threads)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print(f"done wrong={sum(wrong)} of {fits * threads}")
