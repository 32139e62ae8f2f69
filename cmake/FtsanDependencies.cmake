# libunwind and Zydis are opened at run time with RTLD_LOCAL (linking libunwind would
# put its _Unwind_* in front of libgcc_s's in every process), so only their headers and
# sonames are needed here. The command links jansson, libdw and zlib.
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBUNWIND REQUIRED libunwind)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(LIBDW REQUIRED IMPORTED_TARGET libdw)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
find_path(ZYDIS_INCLUDE_DIR Zydis/Zydis.h REQUIRED)
# A wheel for other machines brings its own, under names that nothing else in a process
# has (tools/wheel/libraries.sh).
find_library(ZYDIS_LIBRARY NAMES ftsan-zydis Zydis REQUIRED)
find_library(LIBUNWIND_LIBRARY NAMES ftsan-unwind unwind REQUIRED)
find_package(Threads REQUIRED)

# ftsan_soname(RESULT LIBRARY): the name that the loader knows a library by.
function(ftsan_soname result library)
	execute_process(COMMAND ${CMAKE_OBJDUMP} -p ${library}
		OUTPUT_VARIABLE dump OUTPUT_STRIP_TRAILING_WHITESPACE)
	if(NOT dump MATCHES "SONAME +([^ \n]+)")
		message(FATAL_ERROR "${library} has no soname")
	endif()
	set(${result} ${CMAKE_MATCH_1} PARENT_SCOPE)
endfunction()
ftsan_soname(FTSAN_ZYDIS_SONAME ${ZYDIS_LIBRARY})
ftsan_soname(FTSAN_LIBUNWIND_SONAME ${LIBUNWIND_LIBRARY})
