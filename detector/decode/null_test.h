/*
 * Is what an instruction loads looked at for being NULL, and for nothing else?
 *
 * Code that asks for a pointer without the lock and loads it again under it is none the
 * wiser by the first load than that there was one.
 */
#ifndef FTSAN_DECODE_NULL_TEST_H
#define FTSAN_DECODE_NULL_TEST_H

#include <stdbool.h>
#include <stddef.h>

/* What ftsan_decode_tests_null() looks at of the code behind a load. */
enum { FTSAN_NULL_TEST_BYTES = 128 };

/**
 * ftsan_decode_tests_null() - a load of 8 bytes that only asks for NULL
 * @code: bytes from the load on, without breakpoints; @room of them
 *
 * Either a comparison of the memory with 0, or a load into a register that is tested
 * against itself and written anew before anything else reads it, on the way that is gone
 * where there is a pointer. Calls leave the registers alone that they have to keep; any
 * other register that is still wanted at a call counts as used, and so does everything
 * that is not understood.
 *
 * Context: async-signal-safe. Pure, but for the decoder.
 */
bool ftsan_decode_tests_null(const unsigned char *code, size_t room);

#endif
