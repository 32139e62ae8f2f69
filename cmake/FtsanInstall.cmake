# Where things are installed. `cmake --install` follows GNUInstallDirs; a wheel
# (scikit-build-core sets SKBUILD) has the command, the library and what they need in
# one directory of the Python package, wherever that is installed to.
if(NOT SKBUILD)
	set(FTSAN_INSTALL_BINDIR ${CMAKE_INSTALL_BINDIR})
	set(FTSAN_INSTALL_LIBDIR ${CMAKE_INSTALL_LIBDIR})
	set(FTSAN_INSTALL_DATADIR ${CMAKE_INSTALL_DATADIR})
	set(FTSAN_INSTALL_MANDIR ${CMAKE_INSTALL_MANDIR})
	# Where the library is, seen from the command.
	file(RELATIVE_PATH FTSAN_LIBDIR_FROM_BINDIR
		${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
	return()
endif()

set(FTSAN_INSTALL_BINDIR ftsan/_native)
set(FTSAN_INSTALL_LIBDIR ftsan/_native)
set(FTSAN_INSTALL_DATADIR ${SKBUILD_DATA_DIR}/share)
set(FTSAN_INSTALL_MANDIR ${SKBUILD_DATA_DIR}/share/man)
set(FTSAN_LIBDIR_FROM_BINDIR .)

set(FTSAN_PRIVATE_LIBRARIES "" CACHE PATH
	"Made by tools/wheel/libraries.sh: what a wheel for other machines brings along")
if(FTSAN_PRIVATE_LIBRARIES)
	# They have names of their own already, and are found beside who needs them.
	set(CMAKE_INSTALL_RPATH "$ORIGIN")
	function(ftsan_bundle)
		file(GLOB libraries ${FTSAN_PRIVATE_LIBRARIES}/lib/libftsan-*.so)
		install(FILES ${libraries} DESTINATION ${FTSAN_INSTALL_BINDIR})
		install(DIRECTORY ${FTSAN_PRIVATE_LIBRARIES}/licenses
			DESTINATION ${FTSAN_INSTALL_BINDIR})
	endfunction()
	return()
endif()

find_program(FTSAN_PATCHELF patchelf REQUIRED)
# ftsan_bundle(): to be called last, because installation goes in the order of the calls.
function(ftsan_bundle)
	install(CODE "
		set(native \"\${CMAKE_INSTALL_PREFIX}/${FTSAN_INSTALL_BINDIR}\")
		set(loaded \"${LIBUNWIND_LIBRARY}\" \"${ZYDIS_LIBRARY}\")
		set(patchelf \"${FTSAN_PATCHELF}\")
		include(\"${PROJECT_SOURCE_DIR}/cmake/bundle.cmake\")")
endfunction()
