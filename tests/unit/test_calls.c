/* SPDX-License-Identifier: MIT
 *
 * proto/calls: the table against the headers of this machine, and against a list of what must not
 * be had for nothing, which stands here a second time so that moving a row is not enough.
 * proto/call_text: what people are told of arguments, to the letter.
 */
#include "proto/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/call_text.h"
#include "tests/support/fixture.h"

#define N_OF(array) (sizeof(array) / sizeof(array)[0])

/* --- the table --- */

START_TEST(test_table_is_sorted_and_without_doubles) {
	const struct call *table;
	size_t n;

	table = call_table(&n);
	ck_assert_uint_gt(n, 380);
	for (size_t i = 1; i < n; i++)
		ck_assert_msg(table[i - 1].number < table[i].number, "%s before %s",
			      table[i - 1].name, table[i].name);
}
END_TEST

/* A name that stands twice would be found at the first place only. */
START_TEST(test_each_row_is_found_by_number_and_by_name) {
	const struct call *table;
	size_t n;

	table = call_table(&n);
	for (size_t i = 0; i < n; i++) {
		ck_assert_ptr_eq(call_by_number(table[i].number), &table[i]);
		ck_assert_ptr_eq(call_by_name(table[i].name), &table[i]);
	}
}
END_TEST

START_TEST(test_what_does_not_exist_is_not_found) {
	static const uint32_t numbers[] = { 337, 423, 470, 512, 0x10000, 0x40000000, UINT32_MAX };

	for (size_t i = 0; i < N_OF(numbers); i++)
		ck_assert_ptr_null(call_by_number(numbers[i]));
	ck_assert_ptr_null(call_by_name(""));
	ck_assert_ptr_null(call_by_name("rea"));
	ck_assert_ptr_null(call_by_name("reads"));
}
END_TEST

START_TEST(test_rows_are_complete) {
	const struct call *table;
	size_t n;

	table = call_table(&n);
	for (size_t i = 0; i < n; i++) {
		bool ended = false;

		ck_assert_int_lt(table[i].group, N_CALL_GROUPS);
		ck_assert_msg(table[i].error == EPERM || table[i].error == ENOSYS ||
				  table[i].error == EOPNOTSUPP,
			      "%s", table[i].name);
		for (size_t k = 0; k < CALL_ARGUMENTS; k++) {
			ck_assert_int_le(table[i].arguments[k], ARGUMENT_REQUEST);
			ck_assert_msg(!ended || table[i].arguments[k] == ARGUMENT_NONE,
				      "%s has a hole", table[i].name);
			ended |= table[i].arguments[k] == ARGUMENT_NONE;
		}
	}
}
END_TEST

/* "the next argument's path is relative to it" */
START_TEST(test_directories_stand_before_paths) {
	const struct call *table;
	size_t n;

	table = call_table(&n);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < CALL_ARGUMENTS; k++)
			if (table[i].arguments[k] == ARGUMENT_DIRECTORY_FD) {
				ck_assert_uint_lt(k + 1, CALL_ARGUMENTS);
				ck_assert_int_eq(table[i].arguments[k + 1], ARGUMENT_PATH);
			}
}
END_TEST

/* The preprocessor cannot list the names of a header that the compiler can include. */
static FILE *open_header(void) {
	static const char *const paths[] = {
		"/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
		"/usr/include/asm/unistd_64.h",
	};
	FILE *header = NULL;

	for (size_t i = 0; i < N_OF(paths) && !header; i++)
		header = fopen(paths[i], "re");
	ck_assert_msg(header != NULL, "asm/unistd_64.h is in none of the places known here");
	return header;
}

START_TEST(test_headers_of_this_machine_agree) {
	FILE *header = open_header();
	char line[256], name[64];
	unsigned number, n = 0;

	while (fgets(line, sizeof line, header)) {
		const struct call *call;

		if (sscanf(line, "#define __NR_%63s %u", name, &number) != 2)
			continue;
		n++;
		if (number > 469)
			continue; /* of a later kernel than the table */
		call = call_by_number(number);
		ck_assert_msg(call != NULL, "%u, %s, is missing", number, name);
		ck_assert_str_eq(call->name, name);
	}
	(void)fclose(header);
	ck_assert_uint_gt(n, 350);
}
END_TEST

/* Newer than the headers of some machines; numbers never change. */
START_TEST(test_newer_calls_have_their_numbers) {
	static const struct {
		uint32_t number;
		const char *name;
	} newer[] = {
		{ 335, "uretprobe" },         { 336, "uprobe" },
		{ 451, "cachestat" },         { 452, "fchmodat2" },
		{ 453, "map_shadow_stack" },  { 454, "futex_wake" },
		{ 455, "futex_wait" },        { 456, "futex_requeue" },
		{ 457, "statmount" },         { 458, "listmount" },
		{ 459, "lsm_get_self_attr" }, { 460, "lsm_set_self_attr" },
		{ 461, "lsm_list_modules" },  { 462, "mseal" },
		{ 463, "setxattrat" },        { 464, "getxattrat" },
		{ 465, "listxattrat" },       { 466, "removexattrat" },
		{ 467, "open_tree_attr" },    { 468, "file_getattr" },
		{ 469, "file_setattr" },
	};

	for (size_t i = 0; i < N_OF(newer); i++) {
		const struct call *call = call_by_number(newer[i].number);

		ck_assert_msg(call != NULL, "%s", newer[i].name);
		ck_assert_str_eq(call->name, newer[i].name);
	}
}
END_TEST

/* --- the groups --- */

START_TEST(test_group_names_are_found_again) {
	for (int i = 0; i < N_CALL_GROUPS; i++)
		ck_assert_int_eq(call_group_find(call_group_name((enum call_group)i)), i);
	ck_assert_str_eq(call_group_name(CALLS_FILES), "files");
	ck_assert_int_eq(call_group_find("file"), -ENOENT);
	ck_assert_int_eq(call_group_find("unknown"), -ENOENT);
	ck_assert_int_eq(call_group_find(""), -ENOENT);
}
END_TEST

static enum call_group group_of(const char *name) {
	const struct call *call = call_by_name(name);

	ck_assert_msg(call != NULL, "%s is missing", name);
	return call->group;
}

/* Calls by what they are good for. */
static const struct {
	const char *they, *names;
} dangerous[] = {
	{ "reach into other processes",
	  "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease "
	  "kcmp pidfd_getfd migrate_pages move_pages get_robust_list " },
	{ "act where no filter looks, or are half a kernel",
	  "io_uring_setup io_uring_enter io_uring_register io_setup io_submit "
	  "userfaultfd add_key request_key keyctl bpf perf_event_open clone3 openat2 " },
	{ "change or leave the view of files",
	  "unshare setns mount umount2 pivot_root chroot fsopen fsconfig fsmount fspick "
	  "open_tree open_tree_attr move_mount mount_setattr name_to_handle_at "
	  "open_by_handle_at fanotify_init fanotify_mark quotactl quotactl_fd " },
	{ "are about the whole machine, or are relics",
	  "swapon swapoff reboot kexec_load kexec_file_load init_module finit_module "
	  "delete_module create_module acct settimeofday clock_settime adjtimex "
	  "clock_adjtime sethostname setdomainname syslog lookup_dcookie nfsservctl "
	  "vhangup iopl ioperm modify_ldt uselib _sysctl remap_file_pages memfd_secret " },
	{ "change who a process or a file is",
	  "setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid "
	  "setfsgid capset setxattr lsetxattr fsetxattr setxattrat removexattr "
	  "lremovexattr fremovexattr removexattrat file_setattr lsm_set_self_attr " },
	{ "talk with processes outside of the pool",
	  "shmget shmat semget msgget mq_open socket connect bind listen accept accept4 " },
	{ "take the CPU or the disk from others",
	  "sched_setaffinity sched_setscheduler sched_setparam sched_setattr setpriority "
	  "ioprio_set " },
};

/* The loop index is that of the table. */
START_TEST(test_dangerous_calls_are_not_in_harmless_groups) {
	const char *at = dangerous[_i].names;

	for (size_t length; *at != '\0'; at += length + (at[length] == ' ')) {
		char name[64] = "";
		enum call_group group;

		length = strcspn(at, " ");
		ck_assert_uint_lt(length, sizeof name);
		memcpy(name, at, length);
		group = group_of(name);
		ck_assert_msg(group != CALLS_BASE && group != CALLS_FILES &&
				  group != CALLS_PROCESSES && group != CALLS_THREADS &&
				  group != CALLS_EVENTS,
			      "%s is in %s, but is one of those that %s", name,
			      call_group_name(group), dangerous[_i].they);
	}
}
END_TEST

/* What no policy can allow. */
START_TEST(test_what_cannot_be_judged_is_never_allowed) {
	static const char *const never[] = {
		"io_uring_setup", "io_uring_enter", "io_uring_register",
		"userfaultfd",    "add_key",        "request_key",
		"keyctl",         "clone3",         "openat2",
		"uselib",         "_sysctl",        "remap_file_pages",
		"modify_ldt",
	};

	for (size_t i = 0; i < N_OF(never); i++)
		ck_assert_msg(group_of(never[i]) == CALLS_NEVER, "%s", never[i]);
}
END_TEST

/* A worker that has nothing else must come up, take a task, answer, be put back, crash and end. */
START_TEST(test_base_has_what_a_worker_calls) {
	static const char *const needed[] = {
		"read",
		"write",
		"pread64",
		"close",
		"close_range",
		"fstat",
		"newfstatat",
		"fcntl",
		"dup2",
		"dup3",
		"mmap",
		"munmap",
		"mprotect",
		"mremap",
		"madvise",
		"brk",
		"poll",
		"futex",
		"recvmsg",
		"sendto",
		"sendmsg",
		"memfd_create",
		"ftruncate",
		"getpid",
		"gettid",
		"getpgrp",
		"tgkill",
		"rt_sigaction",
		"rt_sigprocmask",
		"rt_sigreturn",
		"sigaltstack",
		"clock_nanosleep",
		"nanosleep",
		"clock_gettime",
		"getrusage",
		"getitimer",
		"setitimer",
		"timer_delete",
		"prlimit64",
		"sched_getaffinity",
		"sched_getscheduler",
		"getpriority",
		"personality",
		"prctl",
		"waitid",
		"fchdir",
		"umask",
		"getrandom",
		"rseq",
		"set_robust_list",
		"restart_syscall",
		"exit",
		"exit_group",
	};

	for (size_t i = 0; i < N_OF(needed); i++)
		ck_assert_msg(group_of(needed[i]) == CALLS_BASE, "%s", needed[i]);
}
END_TEST

START_TEST(test_refusals_are_what_libraries_expect) {
	static const struct {
		const char *name;
		int error;
	} refusals[] = {
		{ "io_uring_setup", ENOSYS },
		{ "clone3", ENOSYS },
		{ "openat2", ENOSYS },
		{ "statx", ENOSYS },
		{ "rseq", ENOSYS },
		{ "faccessat2", ENOSYS },
		{ "process_vm_readv", ENOSYS },
		{ "keyctl", ENOSYS },
		{ "pidfd_open", ENOSYS },
		{ "setxattr", ENOTSUP },
		{ "fremovexattr", ENOTSUP },
		{ "ptrace", EPERM },
		{ "mount", EPERM },
		{ "bpf", EPERM },
		{ "perf_event_open", EPERM },
		{ "userfaultfd", EPERM },
		{ "setuid", EPERM },
		{ "unshare", EPERM },
		{ "socket", EPERM },
		{ "open", EPERM },
	};

	for (size_t i = 0; i < N_OF(refusals); i++) {
		const struct call *call = call_by_name(refusals[i].name);

		ck_assert_msg(call && call->error == refusals[i].error, "%s", refusals[i].name);
	}
}
END_TEST

/* --- the text --- */

#define CWD     ((uint64_t)(int64_t)AT_FDCWD)
#define CWD_INT ((uint64_t)(uint32_t)AT_FDCWD) /* as the compiler passes an int */

struct decoding {
	const char *name;
	uint64_t arguments[CALL_ARGUMENTS];
	const char *paths[CALL_ARGUMENTS];
	const char *text;
};

static void assert_decoding(const struct decoding *decoding) {
	const struct call *call = call_by_name(decoding->name);
	char text[256];

	ck_assert_msg(call != NULL, "%s", decoding->name);
	memset(text, 'x', sizeof text);
	call_text(call, decoding->arguments, decoding->paths, text, sizeof text);
	ck_assert_str_eq(text, decoding->text);
}

static const struct decoding decodings[] = {
	/* paths, flags and modes */
	{ "openat",
	  { CWD, 0x1000, O_RDONLY | O_CLOEXEC },
	  { [1] = "/etc/shadow" },
	  "AT_FDCWD, \"/etc/shadow\", O_RDONLY|O_CLOEXEC" },
	{ "openat",
	  { CWD_INT, 0x1000, O_WRONLY | O_CREAT | O_TRUNC, 0644 },
	  { [1] = "out" },
	  "AT_FDCWD, \"out\", O_WRONLY|O_CREAT|O_TRUNC, 0644" },
	{ "openat",
	  { 5, 0x1000, O_RDWR | O_TMPFILE, 0600 },
	  { [1] = "." },
	  "5, \".\", O_RDWR|O_TMPFILE, 0600" },
	{ "openat",
	  { 5, 0x1000, O_RDONLY | O_DIRECTORY, 0600 },
	  { [1] = "." },
	  "5, \".\", O_RDONLY|O_DIRECTORY" },
	{ "open", { 0x1000, O_ACCMODE | O_SYNC }, { "x" }, "\"x\", O_ACCMODE|O_SYNC" },
	{ "open",
	  { 0x1000, O_RDWR | O_DSYNC | 0100000 },
	  { "x" },
	  "\"x\", O_RDWR|O_DSYNC|O_LARGEFILE" },
	{ "open", { 0x1000, 0x80000000 }, { "x" }, "\"x\", O_RDONLY|0x80000000" },
	{ "open", { 0x1000, 0xffffffff00000000 }, { "x" }, "\"x\", O_RDONLY" },
	{ "mq_open", { 0x1000, O_RDONLY, 07777, 0x10 }, { "q" }, "\"q\", O_RDONLY" },
	{ "mq_open", { 0x1000, O_CREAT, 0600, 0 }, { "q" }, "\"q\", O_RDONLY|O_CREAT, 0600, 0" },
	{ "chmod", { 0x1000, 04755 }, { "out" }, "\"out\", 04755" },
	{ "mkdirat", { CWD, 0x1000, 0 }, { [1] = "d" }, "AT_FDCWD, \"d\", 0" },
	{ "renameat",
	  { CWD, 0x1000, 7, 0x2000 },
	  { [1] = "a", [3] = "b" },
	  "AT_FDCWD, \"a\", 7, \"b\"" },
	{ "execve",
	  { 0x1000, 0x7ffc0010, 0x7ffc0020 },
	  { "/bin/sh" },
	  "\"/bin/sh\", 0x7ffc0010, 0x7ffc0020" },

	/* strings that cannot be read, and such that are not fit to be shown */
	{ "open", { 0x7ffdeadbeef0, 0 }, { NULL }, "0x7ffdeadbeef0, O_RDONLY" },
	{ "mount", { 0, 0x1000, 0, 0x1000, 0 }, { [1] = "/" }, "NULL, \"/\", NULL, 0x1000, 0" },
	{ "chdir", { 0x1000 }, { "" }, "\"\"" },
	{ "chdir",
	  { 0x1000 },
	  { "a\n\t\"\\\033[2J\x7f\xc3\xa4" },
	  "\"a\\n\\t\\\"\\\\\\x1b[2J\\x7f\\xc3\\xa4\"" },

	/* clone and its like */
	{ "clone",
	  { CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | SIGCHLD, 0, 0, 0x7f00, 0 },
	  { NULL },
	  "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, 0, 0, 0x7f00, 0" },
	{ "clone", { SIGCHLD }, { NULL }, "SIGCHLD, 0, 0, 0, 0" },
	{ "clone", { 0 }, { NULL }, "0, 0, 0, 0, 0" },
	{ "unshare", { CLONE_NEWUSER | CLONE_NEWNET }, { NULL }, "CLONE_NEWUSER|CLONE_NEWNET" },
	{ "unshare", { 0x80 }, { NULL }, "CLONE_NEWTIME" },
	{ "setns", { 3, 0 }, { NULL }, "3, 0" },

	/* sockets */
	{ "socket",
	  { AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 6 },
	  { NULL },
	  "AF_INET, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 6" },
	{ "socket", { AF_ALG, SOCK_SEQPACKET, 0 }, { NULL }, "AF_ALG, SOCK_SEQPACKET, 0" },
	{ "socket", { AF_VSOCK, SOCK_DGRAM, 0 }, { NULL }, "AF_VSOCK, SOCK_DGRAM, 0" },
	{ "socket", { 99, 0xf, 0 }, { NULL }, "99, 0xf, 0" },
	{ "socket", { 27, SOCK_RAW | 0x100, 0 }, { NULL }, "AF_IB, SOCK_RAW|0x100, 0" },
	{ "socket", { 0, 0, 0 }, { NULL }, "AF_UNSPEC, 0, 0" },
	{ "connect", { 4, 0x7ffc0010, 16 }, { NULL }, "4, 0x7ffc0010, 16" },

	/* signals and numbers */
	{ "kill", { (uint64_t)-1, SIGKILL }, { NULL }, "-1, SIGKILL" },
	{ "kill", { UINT32_MAX, SIGTERM }, { NULL }, "-1, SIGTERM" },
	{ "kill", { UINT32_MAX - 4194303, 0 }, { NULL }, "-4194304, 0" },
	{ "kill", { 1, 200 }, { NULL }, "1, 200" },
	{ "tgkill", { 12, 13, 34 }, { NULL }, "12, 13, SIGRTMIN+0" },
	{ "tgkill", { 12, 13, 64 }, { NULL }, "12, 13, SIGRTMIN+30" },
	{ "tgkill", { 12, 13, 32 }, { NULL }, "12, 13, 32" },
	{ "write", { 1, 0x7ffc0010, 0x80000000 }, { NULL }, "1, 0x7ffc0010, 2147483648" },
	{ "lseek", { 1, (uint64_t)-4096, 1 }, { NULL }, "1, -4096, 1" },
	{ "close", { UINT32_MAX }, { NULL }, "-1" },

	/* all others */
	{ "ioctl", { 0, 0x5412, 0x7ffc0010 }, { NULL }, "0, 0x5412, 0x7ffc0010" },
	{ "ptrace", { 0x10, 42 }, { NULL }, "0x10, 42, 0, 0" },
	{ "getpid", { 1, 2, 3 }, { NULL }, "" },
};

START_TEST(test_arguments_are_told_to_the_letter) {
	assert_decoding(&decodings[_i]);
}
END_TEST

/* Each size: terminated within it, nothing behind it, and what fits is what was to be said. */
START_TEST(test_text_is_cut_to_any_size) {
	static const uint64_t arguments[CALL_ARGUMENTS] = { CWD, 0x1000, O_RDONLY };
	static const char *const paths[CALL_ARGUMENTS] = { [1] = "/a\nb" };
	static const char whole[] = "AT_FDCWD, \"/a\\nb\", O_RDONLY";
	const struct call *call = call_by_name("openat");
	char text[sizeof whole + 1];

	for (size_t size = 0; size <= sizeof whole; size++) {
		memset(text, '#', sizeof text);
		call_text(call, arguments, paths, text, size);
		ck_assert_int_eq(text[size], '#');
		if (size == 0)
			continue;
		ck_assert_uint_eq(strlen(text), size - 1);
		if (size == sizeof whole)
			ck_assert_str_eq(text, whole);
		else if (size > 3)
			ck_assert_str_eq(text + size - 4, "...");
		if (size > 4)
			ck_assert_mem_eq(text, whole, size - 4);
	}
}
END_TEST

START_TEST(test_a_long_path_is_cut) {
	static const uint64_t arguments[CALL_ARGUMENTS] = { 0x1000, O_RDONLY };
	static char path[5000];
	const char *const paths[CALL_ARGUMENTS] = { path };
	char text[64];

	memset(path, '\001', sizeof path - 1);
	call_text(call_by_name("open"), arguments, paths, text, sizeof text);
	ck_assert_uint_eq(strlen(text), sizeof text - 1);
	ck_assert_mem_eq(text, "\"\\x01\\x01", 9);
	ck_assert_str_eq(text + sizeof text - 4, "...");
}
END_TEST

/* No value of any argument of any call may bring it out of step. */
START_TEST(test_every_call_can_be_told) {
	static const uint64_t values[] = { 0, 1, 0xff, INT32_MAX, UINT32_MAX, UINT64_MAX };
	static const char *const paths[CALL_ARGUMENTS] = { NULL };
	const struct call *table;
	size_t n;

	table = call_table(&n);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < N_OF(values); k++) {
			const uint64_t value = values[k];
			const uint64_t arguments[CALL_ARGUMENTS] = { value, value, value,
								     value, value, value };
			char text[2048];

			call_text(&table[i], arguments, paths, text, sizeof text);
			ck_assert_uint_eq(strspn(text, "abcdefghijklmnopqrstuvwxyz"
						       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						       "0123456789_-+|, "),
					  strlen(text));
			ck_assert_ptr_null(strstr(text, "||"));
			ck_assert_ptr_null(strstr(text, ", ,"));
		}
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("calls");

	tcase_add_test(test_case, test_table_is_sorted_and_without_doubles);
	tcase_add_test(test_case, test_each_row_is_found_by_number_and_by_name);
	tcase_add_test(test_case, test_what_does_not_exist_is_not_found);
	tcase_add_test(test_case, test_rows_are_complete);
	tcase_add_test(test_case, test_directories_stand_before_paths);
	tcase_add_test(test_case, test_headers_of_this_machine_agree);
	tcase_add_test(test_case, test_newer_calls_have_their_numbers);
	tcase_add_test(test_case, test_group_names_are_found_again);
	tcase_add_loop_test(test_case, test_dangerous_calls_are_not_in_harmless_groups, 0,
			    (int)N_OF(dangerous));
	tcase_add_test(test_case, test_what_cannot_be_judged_is_never_allowed);
	tcase_add_test(test_case, test_base_has_what_a_worker_calls);
	tcase_add_test(test_case, test_refusals_are_what_libraries_expect);
	tcase_add_loop_test(test_case, test_arguments_are_told_to_the_letter, 0,
			    (int)N_OF(decodings));
	tcase_add_test(test_case, test_text_is_cut_to_any_size);
	tcase_add_test(test_case, test_a_long_path_is_cut);
	tcase_add_test(test_case, test_every_call_can_be_told);
	return fixture_run("calls", test_case);
}
