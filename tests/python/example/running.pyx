# cython: language_level=3, freethreading_compatible=True
"""A running mean as Cython makes it: fields of one instance."""

cimport cython


cdef class Mean:
    """Bug: threads that share one lose values."""
    cdef double total
    cdef long count

    cpdef add(self, double value):
        self.total += value
        self.count += 1
        return self.total / self.count


cdef class LockedMean:
    """The same in a critical section."""
    cdef double total
    cdef long count

    cpdef add(self, double value):
        cdef double mean
        with cython.critical_section(self):
            self.total += value
            self.count += 1
            mean = self.total / self.count
        return mean
