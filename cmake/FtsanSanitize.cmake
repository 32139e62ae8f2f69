# FTSAN_SANITIZE: the detector, the command, and of the tests those that run outside of a
# preloaded process are built with other sanitizers. libftsan.so is not built then: a
# sanitizer's runtime has to come first in a process, and wants the same signals.
set(FTSAN_SANITIZE "" CACHE STRING "address,undefined or thread: for the unit tests only")
option(FTSAN_FUZZ "Build the fuzz targets with libFuzzer (clang; with address,undefined)" OFF)

if(FTSAN_FUZZ)
	if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
		message(FATAL_ERROR "FTSAN_FUZZ needs clang and its libFuzzer")
	endif()
	if(FTSAN_SANITIZE AND NOT FTSAN_SANITIZE STREQUAL "address,undefined")
		message(FATAL_ERROR "FTSAN_FUZZ goes with FTSAN_SANITIZE=address,undefined")
	endif()
	set(FTSAN_SANITIZE address,undefined)
	add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(FTSAN_SANITIZE)
	add_compile_options(-fsanitize=${FTSAN_SANITIZE} -fno-sanitize-recover=all
		-fno-omit-frame-pointer)
	add_link_options(-fsanitize=${FTSAN_SANITIZE})
	# That it knows nothing of fences; what depends on them is left out in tests/unit.
	if(FTSAN_SANITIZE STREQUAL "thread" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
		add_compile_options(-Wno-tsan)
	endif()
endif()
