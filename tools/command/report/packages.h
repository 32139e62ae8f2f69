/* The package that a module of the program's was installed with. */
#ifndef FTSAN_TOOLS_PACKAGES_H
#define FTSAN_TOOLS_PACKAGES_H

/**
 * ftsan_package_of() - "numpy 2.5.5" of ".../site-packages/numpy/_core/x.so"
 * @module:  path of the module, as the log has it
 * @sysroot: where that machine's files are; NULL or "": it is this one
 * @ran:     when the program began
 *
 * The version is that of the installation whose list of files has the module, and only if
 * that list is older than the program: another one may have been installed since. Without
 * one it is the package's directory, or the module's name outside of packages.
 *
 * Return: malloc'ed, not yet clean; NULL: the module is the standard library's.
 */
char *ftsan_package_of(const char *module, const char *sysroot, double ran);

#endif
