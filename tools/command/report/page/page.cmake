# ftsan_page(HEADER): page.css and page.js as arrays, with their hashes for the page's
# content security policy.
function(ftsan_page header)
	set(text "/* Made from tools/command/report/page; do not edit. */\n")
	foreach(name IN ITEMS css js)
		set(file ${CMAKE_CURRENT_SOURCE_DIR}/report/page/page.${name})
		set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
		file(READ ${file} hex HEX)
		file(SHA256 ${file} sum)
		string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
		string(REGEX REPLACE "(..)" "0x\\1," sum "${sum}")
		string(APPEND text "static const char page_${name}[] = {${bytes}0};\n"
			"static const unsigned char page_${name}_sum[] = {${sum}};\n")
	endforeach()
	file(CONFIGURE OUTPUT ${header} CONTENT "${text}" @ONLY)
endfunction()
