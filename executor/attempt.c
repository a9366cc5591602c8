/* SPDX-License-Identifier: MIT
 *
 * Reads the arguments from the caller's memory, and looks up its paths from the host.
 */
#include "executor/attempt.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "policy/cover.h"
#include "policy/line.h"
#include "proto/call_text.h"
#include "proto/calls.h"

#define X32_BIT   0x40000000u
#define FCHMODAT2 452 /* Linux 6.6 */

/* Leaves the paths alone: they are large, and written before they are read. */
void attempt_init(struct attempt *attempt, const struct seccomp_notif *request) {
	attempt->call = call_by_number((uint32_t)request->data.nr);
	attempt->request = *request;
	attempt->in_directory = false;
	attempt->port = 0;
	attempt->wanted[0] = '\0';
	attempt->access = 0;
	for (size_t i = 0; i < CALL_ARGUMENTS; i++) {
		attempt->arguments[i] = request->data.args[i];
		attempt->read[i] = NULL;
	}
}

static int number_of(const struct attempt *attempt) {
	return attempt->request.data.nr;
}

static pid_t caller_of(const struct attempt *attempt) {
	return (pid_t)attempt->request.pid;
}

bool attempt_is_foreign(const struct attempt *attempt) {
	return attempt->request.data.arch != AUDIT_ARCH_X86_64 ||
	       (uint32_t)number_of(attempt) & X32_BIT;
}

/* --- paths --------------------------------------------------------------------------------- */

/* Reads a string from the caller's memory page by page, because the page after its end may not be
 * mapped. */
static bool read_string(pid_t pid, uint64_t address, char *text, size_t size) {
	size_t used = 0;

	while (used < size) {
		size_t chunk = 4096 - (size_t)((address + used) & 4095);
		struct iovec to = { text + used, chunk < size - used ? chunk : size - used };
		struct iovec from = { (void *)(uintptr_t)(address + used), to.iov_len };
		ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0);

		if (n <= 0)
			return false;
		if (memchr(text + used, '\0', (size_t)n))
			return true;
		used += (size_t)n;
	}
	return false;
}

static void read_paths(struct attempt *attempt) {
	for (size_t i = 0; attempt->call && i < CALL_ARGUMENTS; i++)
		if (attempt->call->arguments[i] == ARGUMENT_PATH &&
		    read_string(caller_of(attempt), attempt->arguments[i], attempt->paths[i],
				PATH_MAX))
			attempt->read[i] = attempt->paths[i];
}

/* Paths in /proc and /dev mean something else in each process. */
static bool is_relative_to_looker(const char *path) {
	return strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/dev/", 5) == 0;
}

/* Resolves symbolic links in place, as the kernel will. If the last name does not exist yet, its
 * directory is resolved. */
static void resolve(char *path) {
	char real[PATH_MAX], directory[PATH_MAX], name[NAME_MAX + 1];

	if (is_relative_to_looker(path))
		return;
	if (realpath(path, real)) {
		memcpy(path, real, strlen(real) + 1);
		return;
	}
	path_parent(path, directory, sizeof directory);
	(void)snprintf(name, sizeof name, "%s", strrchr(path, '/') + 1);
	if (realpath(directory, real))
		(void)snprintf(path, PATH_MAX, "%.*s/%s", (int)(PATH_MAX - NAME_MAX - 2),
			       real[1] ? real : "", name);
}

static bool base_of(const struct attempt *attempt, size_t argument, char *ret) {
	char link[64];
	int directory = AT_FDCWD;
	ssize_t n;

	if (argument > 0 && attempt->call->arguments[argument - 1] == ARGUMENT_DIRECTORY_FD)
		directory = (int)attempt->arguments[argument - 1];
	if (directory == AT_FDCWD)
		(void)snprintf(link, sizeof link, "/proc/%d/cwd", (int)caller_of(attempt));
	else
		(void)snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)caller_of(attempt),
			       directory);
	n = readlink(link, ret, PATH_MAX - 1);
	if (n <= 0 || ret[0] != '/')
		return false;
	ret[n] = '\0';
	return true;
}

/* Makes a path absolute, but keeps its symbolic links. */
static bool absolute_path(const struct attempt *attempt, size_t argument, char *ret) {
	const char *path = attempt->read[argument];
	char base[PATH_MAX];

	if (!path)
		return false;
	if (path[0] == '/')
		(void)snprintf(ret, PATH_MAX, "%s", path);
	else if (!base_of(attempt, argument, base) ||
		 snprintf(ret, PATH_MAX, "%s/%s", base, path) >= PATH_MAX)
		return false;
	path_simplify(ret);
	return true;
}

/* --- access to them ------------------------------------------------------------------------ */

static bool changes_names(int number) {
	static const int numbers[] = {
		SYS_unlink,    SYS_unlinkat, SYS_rmdir,  SYS_rename,  SYS_renameat,
		SYS_renameat2, SYS_link,     SYS_linkat, SYS_symlink, SYS_symlinkat,
		SYS_mkdir,     SYS_mkdirat,  SYS_mknod,  SYS_mknodat,
	};

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

static uint32_t access_of_open(uint64_t flags) {
	if (flags & O_PATH)
		return 0;
	if ((flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC))
		return POLICY_WRITE;
	return POLICY_READ;
}

/* Returns 0 if the call only asks for information, which nothing but the view prevents. */
static uint32_t access_of(const struct attempt *attempt) {
	int number = number_of(attempt);

	switch (number) {
	case SYS_open:
		return access_of_open(attempt->arguments[1]);
	case SYS_openat:
		return access_of_open(attempt->arguments[2]);
	case SYS_execve:
	case SYS_execveat:
		return POLICY_EXECUTE;
	case SYS_creat:
	case SYS_truncate:
		return POLICY_WRITE;
	default:
		return changes_names(number) || call_changes_metadata(number) ? POLICY_WRITE : 0;
	}
}

static bool allows(const struct policy *policy, const char *path, uint32_t access) {
	return cover_allows(policy, path, access) ||
	       (access != POLICY_EXECUTE && cover_allows(policy, path, POLICY_DEVICE)) ||
	       (policy->limits[POLICY_SCRATCH] != POLICY_NO_LIMIT &&
		(strcmp(path, "/tmp") == 0 || strncmp(path, "/tmp/", 5) == 0 ||
		 strncmp(path, "/.warmfork/", 11) == 0));
}

/* Does the refused path exist? For something that a task wanted to create, its directory counts. */
static bool is_there(const char *path, uint32_t access) {
	struct stat status;
	char directory[PATH_MAX];

	if (is_relative_to_looker(path) || lstat(path, &status) == 0)
		return true;
	path_parent(path, directory, sizeof directory);
	return access == POLICY_WRITE && lstat(directory, &status) == 0;
}

/* The target of a symbolic link is mere text: writing it accesses nothing. */
static bool is_mere_text(const struct attempt *attempt, size_t argument) {
	int number = number_of(attempt);

	return argument == 0 && (number == SYS_symlink || number == SYS_symlinkat);
}

static bool find_wanted(struct attempt *attempt, const struct policy *policy) {
	char path[PATH_MAX];

	for (size_t i = 0; i < CALL_ARGUMENTS; i++) {
		if (is_mere_text(attempt, i) || !absolute_path(attempt, i, path) ||
		    allows(policy, path, attempt->access))
			continue;
		resolve(path);
		if (allows(policy, path, attempt->access) || !is_there(path, attempt->access))
			continue;
		memcpy(attempt->wanted, path, strlen(path) + 1);
		return true;
	}
	return false;
}

/* Names are created and removed in the directory of `wanted`; and a rule must name something that
 * exists. */
static void look_at_paths(struct attempt *attempt, const struct policy *policy) {
	struct stat status;

	attempt->access = access_of(attempt);
	if (attempt->access == 0 || !find_wanted(attempt, policy))
		return;
	attempt->in_directory =
	    changes_names(number_of(attempt)) ||
	    (attempt->access == POLICY_WRITE && lstat(attempt->wanted, &status) < 0);
}

static bool is_about_path(const struct attempt *attempt) {
	const struct call *call = attempt->call;

	for (size_t i = 0; call && i < CALL_ARGUMENTS; i++)
		if (call->arguments[i] == ARGUMENT_PATH)
			return call->group == CALLS_FILES || call->number == SYS_execve ||
			       call->number == SYS_execveat;
	return false;
}

static bool is_device(uint64_t mode) {
	return S_ISCHR((mode_t)mode) || S_ISBLK((mode_t)mode);
}

/* A set-id bit, or a device node. */
static bool asks_for_too_much(const struct attempt *attempt) {
	const uint64_t *arguments = attempt->arguments;
	const uint64_t setid = S_ISUID | S_ISGID;
	const uint64_t makes = O_CREAT | (O_TMPFILE & ~O_DIRECTORY);

	switch (number_of(attempt)) {
	case SYS_mknod:
		return arguments[1] & setid || is_device(arguments[1]);
	case SYS_mknodat:
		return arguments[2] & setid || is_device(arguments[2]);
	case SYS_open:
		return arguments[1] & makes && arguments[2] & setid;
	case SYS_openat:
		return arguments[2] & makes && arguments[3] & setid;
	case SYS_creat:
	case SYS_chmod:
	case SYS_mkdir:
		return arguments[1] & setid;
	case SYS_renameat2:
		return arguments[4] & RENAME_WHITEOUT;
	case SYS_fchmodat:
	case SYS_mkdirat:
	case FCHMODAT2:
		return arguments[2] & setid;
	default:
		return false;
	}
}

/* --- ports --------------------------------------------------------------------------------- */

void attempt_read_address(const struct attempt *attempt, struct sockaddr_storage *ret) {
	size_t which, size;
	struct iovec to = { ret, 0 }, from;

	ret->ss_family = AF_UNSPEC;
	switch (number_of(attempt)) {
	case SYS_connect:
	case SYS_bind:
		which = 1;
		break;
	case SYS_sendto:
		which = 4;
		break;
	default:
		return;
	}
	size = attempt->arguments[which + 1] < sizeof *ret ? attempt->arguments[which + 1]
							   : sizeof *ret;
	from.iov_base = (void *)(uintptr_t)attempt->arguments[which];
	from.iov_len = to.iov_len = size;
	if (size == 0 || !from.iov_base ||
	    process_vm_readv(caller_of(attempt), &to, 1, &from, 1, 0) < 0)
		ret->ss_family = AF_UNSPEC;
}

bool attempt_is_about_port(const struct attempt *attempt) {
	return number_of(attempt) == SYS_connect || number_of(attempt) == SYS_bind;
}

bool attempt_is_about_terminal(const struct attempt *attempt) {
	static const uint32_t requests[] = { TERMINAL_REQUESTS };

	if (number_of(attempt) != SYS_ioctl)
		return false;
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
		if ((uint32_t)attempt->arguments[1] == requests[i])
			return true;
	return false;
}

static bool lists_port(const uint16_t *ports, size_t n, uint16_t port) {
	for (size_t i = 0; i < n; i++)
		if (ports[i] == port)
			return true;
	return false;
}

/* The port rules cover TCP only; if the protocol cannot be found out, TCP is assumed. Nothing is
 * opened: whoever has the last descriptor of a socket may have to wait until it has been closed. The
 * kernel calls the protocols "TCP", "TCPv6", "UDP" and so on. */
static bool is_of_tcp(const struct attempt *attempt) {
	char path[64], name[32];
	ssize_t n;

	(void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)caller_of(attempt),
		       (int)attempt->arguments[0]);
	n = getxattr(path, "system.sockprotoname", name, sizeof name - 1);
	if (n <= 0)
		return true;
	name[n] = '\0';
	return strcmp(name, "TCP") == 0 || strcmp(name, "TCPv6") == 0;
}

static void look_at_port(struct attempt *attempt, const struct policy *policy) {
	bool binds = number_of(attempt) == SYS_bind;
	struct sockaddr_storage address;
	union {
		const struct sockaddr_storage *any;
		const struct sockaddr_in *inet;
	} as = { &address };

	attempt_read_address(attempt, &address);
	if (address.ss_family != AF_INET && address.ss_family != AF_INET6)
		return;
	attempt->port = ntohs(as.inet->sin_port); /* IPv6 has it at the same offset */
	if (lists_port(binds ? policy->tcp_bind : policy->tcp_connect,
		       binds ? policy->n_tcp_bind : policy->n_tcp_connect, attempt->port) ||
	    !is_of_tcp(attempt))
		attempt->port = 0;
}

bool attempt_depends_on_path(const struct attempt *attempt, const struct policy *policy) {
	return is_about_path(attempt) && !asks_for_too_much(attempt) &&
	       (policy->layers & LAYER_MOUNT || !call_changes_metadata(number_of(attempt)));
}

bool attempt_needs_look(const struct attempt *attempt) {
	const struct call *call = attempt->call;

	if (!call || attempt_is_foreign(attempt))
		return false;
	for (size_t i = 0; i < CALL_ARGUMENTS; i++)
		if (call->arguments[i] == ARGUMENT_PATH)
			return true;
	return attempt_is_about_port(attempt) || attempt_is_about_terminal(attempt);
}

void attempt_look(struct attempt *attempt, const struct policy *policy, bool all) {
	if (!attempt->call || attempt_is_foreign(attempt))
		return;
	read_paths(attempt);
	if (all || attempt_depends_on_path(attempt, policy))
		look_at_paths(attempt, policy);
	if (attempt_is_about_port(attempt))
		look_at_port(attempt, policy);
}

/* --- words --------------------------------------------------------------------------------- */

void attempt_name(const struct attempt *attempt, char *text, size_t size) {
	const char *abi = "";

	if (attempt->call && !attempt_is_foreign(attempt)) {
		(void)snprintf(text, size, "%s", attempt->call->name);
		return;
	}
	if (attempt->request.data.arch != AUDIT_ARCH_X86_64)
		abi = "i386 ";
	else if (attempt_is_foreign(attempt))
		abi = "x32 ";
	(void)snprintf(text, size, "%scall %d", abi, number_of(attempt) & (int)~X32_BIT);
}

void attempt_arguments(const struct attempt *attempt, char *text, size_t size) {
	text[0] = '\0';
	if (attempt->call && !attempt_is_foreign(attempt))
		call_text(attempt->call, attempt->arguments, attempt->read, text, size);
}

void attempt_line(const struct attempt *attempt, const struct policy *policy, char *text,
		  size_t size) {
	char directory[PATH_MAX];
	const char *path = attempt->wanted;

	text[0] = '\0';
	if (!attempt->call || attempt_is_foreign(attempt))
		return;
	if (attempt->port) {
		(void)snprintf(text, size, "%s: [%u]",
			       number_of(attempt) == SYS_bind ? "tcp_bind" : "tcp_connect",
			       attempt->port);
	} else if (path[0]) {
		if (attempt->in_directory) {
			path_parent(path, directory, sizeof directory);
			path = directory;
		}
		line_for_path(policy, path, attempt->access, text, size);
	} else {
		line_for_call(policy, attempt->call, attempt->arguments, text, size);
	}
}
