"""twins.py NAME...: programs that share arrays between threads and do it right."""

import asyncio
import collections
import concurrent.futures
import contextvars
import copy
import gc
import os
import pickle
import queue
import sys
import threading
import warnings
import weakref

import numpy as np

warnings.simplefilter("ignore")
THREADS = 4
ROUNDS = 150


def fail(arguments):
    sys.__excepthook__(*arguments[:3])
    os._exit(1)


threading.excepthook = fail


def in_threads(function, n=THREADS):
    start = threading.Barrier(n)

    def body(i):
        start.wait()
        function(i)

    threads = [threading.Thread(target=body, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def locked(guard):
    array = np.arange(12)

    def change(i):
        for j in range(ROUNDS):
            with guard:
                array.shape = (3, 4) if j % 2 else (12,)
                array.setflags(write=bool(j % 3))
                array.dtype = "u8" if j % 2 else "i8"
                array.sum()

    in_threads(change)


def lock():
    locked(threading.Lock())


def rlock():
    locked(threading.RLock())


def condition():
    locked(threading.Condition())


def semaphore():
    locked(threading.Semaphore(1))


def queues():
    handed, back = queue.Queue(), queue.Queue()

    def consume(i):
        while (array := handed.get()) is not None:
            array.shape = (-1,)
            array.resize((2 * array.size,), refcheck=False)
            back.put(array)

    worker = threading.Thread(target=consume, args=(0,))
    worker.start()
    array = np.zeros((2, 2))
    for _ in range(ROUNDS):
        handed.put(array)
        array = back.get()
        array.resize((2, 2), refcheck=False)
        array.setflags(write=True)
    handed.put(None)
    worker.join()


def events():
    array = np.arange(6)
    turns = [threading.Event(), threading.Event()]
    turns[0].set()

    def change(i):
        for _ in range(ROUNDS):
            turns[i].wait()
            turns[i].clear()
            array.shape = (2, 3) if array.ndim == 1 else (6,)
            turns[1 - i].set()

    in_threads(change, 2)


def barrier():
    arrays = [np.arange(6) for _ in range(THREADS)]
    phase = threading.Barrier(THREADS)

    def work(i):
        for j in range(ROUNDS):
            arrays[i].shape = (3, 2) if j % 2 else (6,)
            phase.wait()
            arrays[(i + 1) % THREADS].sum()
            phase.wait()

    in_threads(work)


def private():
    def work(i):
        for j in range(ROUNDS):
            array = np.arange(24)
            array.shape = (4, 6)
            array.strides = array.strides
            array.resize((30,), refcheck=False)
            array.setflags(write=False)
            np.repeat(array, 2)

    in_threads(work)


def pool():
    arrays = [np.arange(i + 2) for i in range(40)]
    with concurrent.futures.ThreadPoolExecutor(THREADS) as executor:
        for _ in range(10):
            assert sum(executor.map(lambda a: int(np.repeat(a, 2).sum()), arrays)) > 0


def readers():
    array = np.arange(120.0).reshape(4, 30)
    array.setflags(write=False)
    masked = np.ma.masked_less(np.arange(30), 3)

    def read(i):
        for _ in range(ROUNDS):
            np.repeat(array, 2, axis=0), array.sum(axis=i % 2), array[1:, ::2], array.T
            array.flags.writeable, array.dtype, array.shape, array.strides, array.base
            np.add(array, 1), array + array, array.reshape(-1), array.ravel(), array.copy()
            np.concatenate((array, array)), np.dot(array, array.T), array.astype("f4")
            array.argsort(axis=0), array.tolist(), bytes(array[0].data[:1]), repr(array[0, :2])
            masked.sum(), masked[2:], np.broadcast_to(array, (2, 4, 30)), list(array.flat)[0]

    in_threads(read)


def subclasses():
    class Mine(np.ndarray):
        def __array_finalize__(self, parent):
            self.note = getattr(parent, "note", 0)

    def work(i):
        for _ in range(ROUNDS // 3):
            np.arange(5).view(Mine)[1:].shape = (2, 2)
            masked = np.ma.array([1, 2, 3], mask=[0, 1, 0])
            masked.mask = [1, 0, 0]
            masked.shape = (3, 1)
            np.matrix([[1, 2], [3, 4]]).T * 2
            record = np.rec.array([(1, 2.0)], dtype="i8,f8")
            record.f0 = 3

    in_threads(work)


def copy_on_write():
    current, guard = [np.arange(10)], threading.Lock()

    def work(i):
        for j in range(ROUNDS):
            with guard:
                array = current[0]
            if i == 0:
                changed = array.copy()
                changed.shape = (5, 2) if j % 2 else (10,)
                with guard:
                    current[0] = changed
            else:
                array.sum(), array.shape

    in_threads(work)


def producers():
    made = queue.Queue(16)

    def work(i):
        if i % 2:
            for j in range(ROUNDS):
                array = np.arange(j + 2)
                array.shape = (1, -1)
                made.put(array)
        else:
            for _ in range(ROUNDS):
                array = made.get()
                array.shape = (-1,)

    in_threads(work)


def weak():
    def work(i):
        for _ in range(ROUNDS // 10):
            arrays = [np.arange(3) for _ in range(50)]
            refs = [weakref.ref(array) for array in arrays]
            arrays[0].shape = (3, 1)
            del arrays
            gc.collect()
            assert not any(ref() is not None for ref in refs)

    in_threads(work)


def disjoint():
    array = np.zeros((THREADS, 64))

    def work(i):
        for j in range(ROUNDS):
            array[i] = j
            array[i] += 1
            np.multiply(array[i], 2, out=array[i])
            array[i, ::2].sort()

    in_threads(work)


def copies():
    array = np.arange(12).reshape(3, 4)

    def work(i):
        for _ in range(ROUNDS // 2):
            again = pickle.loads(pickle.dumps(array, protocol=5))
            again.shape = (12,)
            copy.deepcopy(again).resize((6,), refcheck=False)

    in_threads(work)


def buffers():
    array = np.arange(64, dtype="u1")

    def work(i):
        for _ in range(ROUNDS):
            view = memoryview(array)
            np.frombuffer(view, "u4").shape = (4, 4)
            [float(x) for x in np.nditer(array[:4])]

    in_threads(work)


def coroutines():
    array = np.arange(10)
    name = contextvars.ContextVar("name")

    def work(i):
        name.set(i)
        array.sum(), np.repeat(array, 3)
        own = array.copy()
        own.shape = (2, 5)
        return name.get()

    async def main():
        done = await asyncio.gather(*(asyncio.to_thread(work, i) for i in range(60)))
        assert collections.Counter(done)[7] == 1

    asyncio.run(main())


def once():
    array, ready = np.arange(10), threading.Event()

    def work(i):
        if i == 0:
            array.shape = (5, 2)
            array.setflags(write=False)
            ready.set()
        else:
            ready.wait()
            for _ in range(ROUNDS):
                assert array.shape == (5, 2) and not array.flags.writeable
                np.repeat(array, 2, axis=0)

    in_threads(work)


ALL = [lock, rlock, condition, semaphore, queues, events, barrier, private, pool, readers,
       subclasses, copy_on_write, producers, weak, disjoint, copies, buffers, coroutines, once]

if __name__ == "__main__":
    wanted = sys.argv[1:]
    for program in ALL:
        if not wanted or program.__name__ in wanted:
            program()
            print(program.__name__, "done", flush=True)
