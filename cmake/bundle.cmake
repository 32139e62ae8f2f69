# Installation of a wheel: copies the shared libraries that the command is linked to, and
# those that libftsan.so opens, beside them.
#
# native:   the directory of the command and libftsan.so
# loaded:   libraries that libftsan.so opens by their soname
# patchelf: the program
#
# Each copy gets a soname of its own ("libftsan-lzma.so.5"). The loader takes libraries of
# one soname for one library: a copy in the program's process would otherwise be what the
# program's own modules get, whatever version they need (Python's lzma needs liblzma.so.5,
# and so does libunwind).
cmake_minimum_required(VERSION 3.22) # the installation script sets no policies

file(GET_RUNTIME_DEPENDENCIES
	EXECUTABLES ${native}/ftsan
	LIBRARIES ${loaded}
	RESOLVED_DEPENDENCIES_VAR needed
	# Of the C library's version, and always there.
	PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|pthread|rt)\\.so"
)

function(run_patchelf)
	execute_process(COMMAND ${patchelf} ${ARGN} RESULT_VARIABLE failed)
	if(failed)
		message(FATAL_ERROR "patchelf ${ARGN}: ${failed}")
	endif()
endfunction()

function(soname result library)
	execute_process(COMMAND ${patchelf} --print-soname ${library}
		OUTPUT_VARIABLE name OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
	if(failed OR name STREQUAL "")
		message(FATAL_ERROR "${library} has no soname")
	endif()
	set(${result} ${name} PARENT_SCOPE)
endfunction()

set(copies ${native}/ftsan)
set(renamed "")
foreach(library IN LISTS loaded needed)
	soname(name ${library})
	string(REGEX REPLACE "^lib" "libftsan-" private ${name})
	# libftsan.so looks for what it opens by the names that the system has for them.
	if(library IN_LIST loaded)
		set(copy ${native}/${name})
	else()
		set(copy ${native}/${private})
		list(APPEND renamed --replace-needed ${name} ${private})
	endif()
	file(REAL_PATH ${library} file)
	file(COPY_FILE ${file} ${copy})
	file(CHMOD ${copy} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
	run_patchelf(--set-soname ${private} ${copy})
	list(APPEND copies ${copy})
	message(STATUS "Bundling: ${library} as ${copy}")
endforeach()
foreach(copy IN LISTS copies)
	run_patchelf(${renamed} ${copy})
	run_patchelf(--set-rpath "\$ORIGIN" ${copy})
endforeach()
