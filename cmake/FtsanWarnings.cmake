# ftsan_warnings: what every target of ours is compiled with.
add_library(ftsan_warnings INTERFACE)
target_compile_options(ftsan_warnings INTERFACE
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
	-fvisibility=hidden)
target_compile_definitions(ftsan_warnings INTERFACE _GNU_SOURCE)
if(FTSAN_WERROR)
	target_compile_options(ftsan_warnings INTERFACE -Werror)
endif()
