/* SPDX-License-Identifier: MIT
 *
 * exit(3) would run the atexit handlers of the preloaded image in every copy of it, and flush
 * buffers that the zygote had filled. _exit(2) alone would lose the counters of a coverage
 * build.
 */
#include "base/leave.h"

#include <unistd.h>

/* Only the runtimes of clang's and gcc's coverage builds define these. */
extern int __llvm_profile_write_file(void) __attribute__((weak));
extern void __gcov_dump(void) __attribute__((weak));

_Noreturn void leave(int code) {
	if (__llvm_profile_write_file)
		(void)__llvm_profile_write_file();
	if (__gcov_dump)
		__gcov_dump();
	_exit(code);
}
