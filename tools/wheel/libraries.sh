#!/bin/sh
# Builds what a wheel for other machines brings along, for an old glibc: libunwind, Zydis and
# libdw as private shared libraries, jansson and zlib as archives. From the distribution's
# source packages. Prints the prefix they are installed to; progress goes to stderr.
#
# Private: each exports only what ftsan calls, under a soname that no other library has, so
# that the loader never takes one for the program's own. Shared, because libunwind has to
# stay out of libftsan.so (its system calls are redirected), Zydis is wanted by libftsan.so
# alone, and libdw's licence (LGPL) asks that it can be replaced.
set -eu

[ $# = 3 ] || { echo "usage: libraries.sh PREFIX PYTHON TARGET" >&2; exit 2; }
prefix=$1
python=$2
target=$3
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$here/../lib.sh"
. "$here/../debian-source.sh"

packages="zydis libunwind jansson elfutils zlib"

# suites: where the packages may be; the machine's own first, whose archives are there.
suites() {
	. /etc/os-release
	echo "${VERSION_CODENAME-}" bookworm trixie noble jammy
}

fetch() {
	need_mirror "the wheel's libraries are built from its source packages"
	for suite in $(suites); do
		say "looking for the libraries' source packages in suite $suite"
		source_lists "$work" "$suite" || continue
		found=yes
		for package in $packages; do
			source_archive "$work" "$package" || { found=no; break; }
		done
		[ "$found" = no ] || return 0
		rm -f "$work"/*.orig.tar.*
	done
	return 1
}

unpack() {
	for package in $packages; do
		mkdir -p "$work/src/$package"
		tar -C "$work/src/$package" --strip-components=1 -xf \
			"$(find "$work" -maxdepth 1 -name "${package}_*.orig.tar.*" ! -name '*.asc')"
	done
	# Of Zycore only the headers are needed, and Zydis' archive has it not.
	(cd "$work" && apt-get -o APT::Sandbox::User=root download libzycore-dev) >&2
	dpkg-deb -x "$work"/libzycore-dev_*.deb "$work/zycore"
}

# The compiler and its tools as programs of one word, for configure and CMake.
make_tools() {
	mkdir -p "$prefix/bin"
	zig=$("$python" -c 'import os, ziglang; print(os.path.dirname(ziglang.__file__))')/zig
	# Zig renames what it has preprocessed to the name after -o; configure says -o /dev/null,
	# which root would have a file in place of then.
	cat >"$prefix/bin/cc" <<-TEXT
		#!/bin/sh
		last=
		for word; do
			shift
			case \$last\$word in
			-o/dev/null) set -- "\$@" "$prefix/nothing" ;;
			*) set -- "\$@" "\$word" ;;
			esac
			last=\$word
		done
		exec "$zig" cc -target $target -fno-sanitize=all "\$@"
	TEXT
	for tool in ar ranlib; do
		printf '#!/bin/sh\nexec "%s" %s "$@"\n' "$zig" $tool >"$prefix/bin/$tool"
	done
	chmod +x "$prefix"/bin/*
	cat >"$prefix/toolchain.cmake" <<-TEXT
		set(CMAKE_SYSTEM_NAME Linux)
		set(CMAKE_SYSTEM_PROCESSOR x86_64)
		set(CMAKE_C_COMPILER "$prefix/bin/cc")
		set(CMAKE_AR "$prefix/bin/ar")
		set(CMAKE_RANLIB "$prefix/bin/ranlib")
		set(CMAKE_FIND_ROOT_PATH "$prefix")
		set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
		set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
		set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
		set(ENV{PKG_CONFIG_LIBDIR} "$prefix/lib/pkgconfig")
		set(ENV{PKG_CONFIG_PATH} "")
	TEXT
}

# shared NAME EXPORTS ARGUMENT...: libftsan-NAME.so, which exports only EXPORTS.
shared() {
	name=$1
	printf '{global: %s local: *;};\n' "$2" >"$work/$name.map"
	shift 2
	cc -shared -s -o "$prefix/lib/libftsan-$name.so" "-Wl,-soname,libftsan-$name.so" \
		"-Wl,--version-script=$work/$name.map" -Wl,--gc-sections -Wl,-Bsymbolic \
		-Wl,-z,relro -Wl,-z,now "$@"
}

build_zydis() {
	mkdir "$work/zydis"
	for name in Decoder DecoderData MetaInfo Mnemonic Register SharedData Segment Utils Zydis; do
		cc -O2 -fPIC -DNDEBUG -DZYDIS_STATIC_BUILD -DZYCORE_STATIC_BUILD \
			-DZYDIS_DISABLE_FORMATTER -DZYDIS_DISABLE_ENCODER \
			-I"$work/src/zydis/include" -I"$work/src/zydis/src" \
			-I"$work/zycore/usr/include" -c "$work/src/zydis/src/$name.c" \
			-o "$work/zydis/$name.o"
	done
	cp -r "$work/src/zydis/include/Zydis" "$work/zycore/usr/include/Zycore" "$prefix/include/"
	shared zydis "ZydisDecoderInit; ZydisDecoderDecodeFull;" "$work"/zydis/*.o
}

build_zlib() {
	(
		cd "$work/src/zlib"
		CFLAGS="-O2 -fPIC" ./configure --static --prefix="$prefix"
		make -j"$(nproc)" install
	)
}

build_jansson() {
	cmake -S "$work/src/jansson" -B "$work/jansson" -G Ninja \
		"-DCMAKE_TOOLCHAIN_FILE=$prefix/toolchain.cmake" "-DCMAKE_INSTALL_PREFIX=$prefix" \
		-DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS=-fPIC \
		-DCMAKE_POLICY_VERSION_MINIMUM=3.5 -DJANSSON_BUILD_DOCS=OFF -DJANSSON_EXAMPLES=OFF -DJANSSON_WITHOUT_TESTS=ON
	cmake --build "$work/jansson" --target install
}

# configured PACKAGE ARGUMENT...: its configure run in a directory of its own, for the target.
configured() {
	package=$1
	shift
	mkdir "$work/$package"
	(
		cd "$work/$package"
		CFLAGS="-O2 -fPIC -g0 -Wno-everything" CPPFLAGS="-I$prefix/include" \
			LDFLAGS="-L$prefix/lib" "$work/src/$package/configure" \
			--build=x86_64-linux-gnu --host=x86_64-linux-gnu --prefix="$prefix" "$@"
	)
}

# Nothing of exceptions, of other processes, of the debugger's data: one thread's own stack.
build_libunwind() {
	configured libunwind --disable-shared --enable-static --with-pic \
		--disable-cxx-exceptions --disable-coredump --disable-ptrace --disable-setjmp \
		--disable-documentation --disable-tests --disable-minidebuginfo
	make -C "$work/libunwind" -j"$(nproc)" install
	shared unwind "_ULx86_64_init_local2; _ULx86_64_step; _ULx86_64_get_reg;" \
		-Wl,--whole-archive "$prefix/lib/libunwind.a"
}

# The compiler would make a whole libc++ to answer whether it has a demangler.
build_elfutils() {
	configured elfutils --disable-debuginfod --disable-libdebuginfod --without-bzlib \
		--without-lzma --without-zstd --disable-nls --disable-symbol-versioning \
		--disable-demangler ac_cv_lib_stdcpp___cxa_demangle=no
	at=$work/elfutils
	for room in config lib libebl libdwelf libdwfl backends; do
		make -C "$at/$room" -j"$(nproc)"
	done
	make -C "$at/libelf" -j"$(nproc)" libelf_pic.a
	make -C "$at/libcpu" libcpu_pic.a
	make -C "$at/libdw" -j"$(nproc)" libdw_pic.a
	for room in libelf libdw libdwfl libdwelf libebl; do
		make -C "$at/$room" install-includeHEADERS || true # not every one has some
		make -C "$at/$room" install-pkgincludeHEADERS || true
	done
	shared dw "dwfl_*; dwarf_*; dwelf_*; elf*; gelf_*;" \
		-Wl,--whole-archive "$at/libdw/libdw_pic.a" "$at/libdwfl/libdwfl_pic.a" \
		"$at/libelf/libelf_pic.a" -Wl,--no-whole-archive "$at/libdwelf/libdwelf_pic.a" \
		"$at/libebl/libebl_pic.a" "$at/backends/libebl_backends_pic.a" \
		"$at/libcpu/libcpu_pic.a" "$at/lib/libeu.a" -L"$prefix/lib" -lz
	cat >"$prefix/lib/pkgconfig/libdw.pc" <<-TEXT
		Name: libdw
		Description: libdw and libelf of elfutils in one private library
		Version: $(sed -n 's/^PACKAGE_VERSION = //p' "$at/Makefile")
		Cflags: -I$prefix/include
		Libs: -L$prefix/lib -lftsan-dw
	TEXT
}

# What each licence asks to be handed on with the copies.
keep_licences() {
	to=$prefix/licenses
	mkdir -p "$to"
	cp "$work/src/zydis/LICENSE" "$to/zydis.txt"
	cp "$work/zycore/usr/share/doc/libzycore-dev/copyright" "$to/zycore.txt"
	cp "$work/src/libunwind/COPYING" "$to/libunwind.txt"
	cp "$work/src/jansson/LICENSE" "$to/jansson.txt"
	cp "$work/src/zlib/README" "$to/zlib.txt"
	cat "$work/src/elfutils/COPYING-LGPLV3" "$work/src/elfutils/COPYING-GPLV2" >"$to/elfutils.txt"
	(cd "$work" && find . -maxdepth 1 -name '*.orig.tar.*' ! -name '*.asc' | sed 's|^./||' | sort) \
		>"$to/sources.txt"
}

build_all() {
	set -eux
	build_zydis
	build_zlib
	build_jansson
	build_libunwind
	build_elfutils
	keep_licences
}

work=$(mktemp -d "${TMPDIR:-/tmp}/ftsan-libraries.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
need_packages make m4 pkg-config dpkg-dev
rm -rf "$prefix"
mkdir -p "$prefix/lib" "$prefix/include"
fetch || die "the libraries' source packages could not be had"
unpack
make_tools
PATH=$prefix/bin:$PATH
export CC="$prefix/bin/cc" AR="$prefix/bin/ar" RANLIB="$prefix/bin/ranlib"
log=$prefix/build.log
say "building libunwind, Zydis, libdw, jansson and zlib for $target, about 3 minutes (log: $log)"
build_all >"$log" 2>&1 &
wait_with_progress $! "$log" || {
	tail -n 20 "$log" >&2
	die "building the libraries failed; the whole log is $log"
}
echo "$prefix"
