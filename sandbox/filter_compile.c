/* SPDX-License-Identifier: MIT
 *
 * The filter is an allow-list made from the groups of the policy, with rules on arguments where a
 * whole call would be too much. Pointer arguments cannot be checked, because another thread may
 * change what they point to after the filter has looked.
 *
 * A call that is not allowed goes to the listener, which answers with an errno and records it;
 * without a listener it gets its errno at once. In another ABI (i386 by int 0x80, x32) the numbers
 * mean other calls, so the listener or the kernel ends the process.
 *
 * libseccomp sorts the rules into a tree. The kernel tries each call number when a filter is
 * installed, which with a tree takes a quarter of the time.
 *
 * If the policy allows what the zygote's loop needs, the zygote runs under the filter that its
 * workers inherit; else each worker installs it, which takes 30 to 50 us (ADR 7). What entering
 * needs in addition is allowed as well, see enter_rules(): after entering it achieves nothing.
 */
#include "sandbox/filter_compile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* <linux/seccomp.h> of 5.19: a process that waits for an answer can still be killed. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#define MFD_NOEXEC_SEAL_6_3  8U
#define F_DUPFD_QUERY_6_10   1027
#define F_CREATED_QUERY_6_12 1028
#define PR_SET_SUD_5_11      59
#define PR_SET_VMA_5_17      0x53564d41
#define PAGEMAP_SCAN_6_7     0xc0606610
#define FICLONE_4_5          0x40049409
#define FICLONERANGE_4_5     0x4020940d

#define LOW32 UINT64_C(0xffffffff)
#define NEW_NAMESPACES                                                                             \
	(UINT64_C(0x80) /* CLONE_NEWTIME */ | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |       \
	 CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_PTRACE |               \
	 CLONE_UNTRACED | CLONE_PARENT | CLONE_IO)
#define SETID_BITS (S_ISUID | S_ISGID)

struct builder {
	scmp_filter_ctx context;
	const struct filter_key *key;
	const struct filter_rest *rest;
	uint32_t allow;
	int error;
};

/* --- rules --------------------------------------------------------------------------------- */

static void rule(struct builder *builder, uint32_t action, int number, unsigned n,
		 const struct scmp_arg_cmp *comparisons) {
	int r;

	if (builder->error)
		return;
	r = seccomp_rule_add_array(builder->context, action, number, n, comparisons);
	if (r < 0 && r != -EEXIST)
		builder->error = error_origin(r);
}

static void allow(struct builder *builder, int number) {
	rule(builder, builder->allow, number, 0, NULL);
}

/* (argument & mask) == value */
static void allow_if(struct builder *builder, int number, unsigned argument, uint64_t mask,
		     uint64_t value) {
	const struct scmp_arg_cmp comparison = SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, mask, value);

	rule(builder, builder->allow, number, 1, &comparison);
}

static void allow_values(struct builder *builder, int number, unsigned argument,
			 const uint32_t *values, size_t n) {
	for (size_t i = 0; i < n; i++)
		allow_if(builder, number, argument, LOW32, values[i]);
}

#define ALLOW_VALUES(builder, number, argument, values)                                            \
	allow_values(builder, number, argument, values, sizeof values / sizeof((values)[0]))

/* --- base ---------------------------------------------------------------------------------- */

/* An executable memfd would be a program of the task's own, which no rule for paths sees. Kernels
 * before 6.3 have no other kind. */
static void memfd_rules(struct builder *builder) {
	bool jit = builder->key->groups & 1u << CALLS_JIT;

	if (builder->key->private_memory || (builder->key->no_memfd && !jit))
		return;
	if (!builder->key->sealed_memfd || jit)
		allow_if(builder, SYS_memfd_create, 1, MFD_HUGETLB, 0);
	else
		allow_if(builder, SYS_memfd_create, 1, MFD_HUGETLB | MFD_NOEXEC_SEAL_6_3,
			 MFD_NOEXEC_SEAL_6_3);
}

/* A mapping is never both written to and executed. If memory has to be private, no other process
 * may map it, and it must not be a stack, which RLIMIT_DATA does not count. Huge pages are taken
 * from a pool of the whole machine, which a control group of version 1 does not count. */
static void mmap_rules(struct builder *builder) {
	const struct scmp_arg_cmp any[] = {
		SCMP_CMP(3, SCMP_CMP_MASKED_EQ, MAP_HUGETLB, 0),
	};
	const struct scmp_arg_cmp private[] = {
		SCMP_CMP(3, SCMP_CMP_MASKED_EQ, MAP_HUGETLB | MAP_SHARED | MAP_GROWSDOWN, 0),
		SCMP_CMP(3, SCMP_CMP_MASKED_EQ, MAP_HUGETLB | MAP_ANONYMOUS | MAP_GROWSDOWN, 0),
	};
	const struct scmp_arg_cmp *kinds = builder->key->private_memory ? private : any;
	const size_t n_kinds = builder->key->private_memory ? 2 : 1;
	const struct scmp_arg_cmp protections[] = {
		SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
		SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC),
	};
	uint64_t groups = builder->key->groups;
	bool jit = groups & 1u << CALLS_JIT;
	/* a task that opens no file has no code to load: all that it could map is a memfd */
	size_t n = groups & (1u << CALLS_FILES | 1u << CALLS_JIT) ? 2 : 1;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n_kinds; k++) {
			const struct scmp_arg_cmp both[] = { kinds[k], protections[i] };

			rule(builder, builder->allow, SYS_mmap, jit ? 1 : 2, both);
		}
}

static void memory_rules(struct builder *builder) {
	memfd_rules(builder);
	mmap_rules(builder);
	/* what has been written must not become executable */
	if (builder->key->groups & 1u << CALLS_JIT) {
		allow(builder, SYS_mprotect);
		allow(builder, SYS_pkey_mprotect);
		return;
	}
	allow_if(builder, SYS_mprotect, 2, PROT_EXEC, 0);
	allow_if(builder, SYS_pkey_mprotect, 2, PROT_EXEC, 0);
}

static void descriptor_rules(struct builder *builder) {
	static const uint32_t commands[] = {
		F_DUPFD,
		F_GETFD,
		F_SETFD,
		F_GETFL,
		F_GETLK,
		F_SETLK,
		F_SETLKW,
		F_OFD_GETLK,
		F_OFD_SETLK,
		F_OFD_SETLKW,
		F_DUPFD_CLOEXEC,
		F_ADD_SEALS,
		F_GET_SEALS,
		F_SETPIPE_SZ,
		F_GETPIPE_SZ,
		F_GETOWN,
		F_DUPFD_QUERY_6_10,
		F_CREATED_QUERY_6_12,
	};
	/* O_ASYNC on a terminal sends signals to whoever has it by then */
	const struct scmp_arg_cmp flags[] = {
		SCMP_CMP(1, SCMP_CMP_MASKED_EQ, LOW32, F_SETFL),
		SCMP_CMP(2, SCMP_CMP_MASKED_EQ, O_ASYNC, 0),
	};
	static const uint32_t requests[] = {
		TCGETS,     TIOCGWINSZ,  TIOCGPGRP,        TIOCGSID,         TIOCOUTQ,
		FIONREAD,   FIONBIO,     FIOCLEX,          FIONCLEX,         TIOCGPTN,
		TIOCSPTLCK, FICLONE_4_5, FICLONERANGE_4_5, PAGEMAP_SCAN_6_7,
	};

	ALLOW_VALUES(builder, SYS_fcntl, 1, commands);
	rule(builder, builder->allow, SYS_fcntl, 2, flags);
	ALLOW_VALUES(builder, SYS_ioctl, 1, requests);
}

/* Allows all requests except those of terminals ('T' in the second byte), because TIOCSTI and
 * TIOCLINUX type for the user. Any other request differs in at least one bit of that byte. */
static void device_rules(struct builder *builder) {
	for (unsigned bit = 8; bit < 16 && builder->key->has_device; bit++) {
		uint64_t mask = UINT64_C(1) << bit;

		allow_if(builder, SYS_ioctl, 1, mask, ~((uint64_t)'T' << 8) & mask);
	}
}

/* Only the caller itself. A limit of cores of 0 would send them to the program of a core_pattern,
 * which our 1 prevents (limits.c); so whoever sets it is told that this is done, and nothing is. The
 * numbers of resources have four bits, of which RLIMIT_CORE differs from any other in one at least. */
static void core_rules(struct builder *builder) {
	const uint32_t done = SCMP_ACT_ERRNO(0);
	const struct scmp_arg_cmp self = SCMP_CMP(0, SCMP_CMP_MASKED_EQ, LOW32, 0);
	const struct scmp_arg_cmp asks[] = { self, SCMP_CMP(2, SCMP_CMP_EQ, 0) };
	const struct scmp_arg_cmp sets[] = { self,
					     SCMP_CMP(1, SCMP_CMP_MASKED_EQ, 0xf, RLIMIT_CORE),
					     SCMP_CMP(2, SCMP_CMP_NE, 0) };
	const struct scmp_arg_cmp sets_own = SCMP_CMP(0, SCMP_CMP_MASKED_EQ, 0xf, RLIMIT_CORE);

	rule(builder, builder->allow, SYS_prlimit64, 2, asks);
	rule(builder, done, SYS_prlimit64, 3, sets);
	rule(builder, done, SYS_setrlimit, 1, &sets_own);
	for (uint64_t bit = 1; bit < 16; bit <<= 1) {
		const uint64_t differs = ~(uint64_t)RLIMIT_CORE & bit;
		const struct scmp_arg_cmp others[] = {
			self, SCMP_CMP(1, SCMP_CMP_MASKED_EQ, bit, differs),
			SCMP_CMP(2, SCMP_CMP_NE, 0)
		};

		rule(builder, builder->allow, SYS_prlimit64, 3, others);
		allow_if(builder, SYS_setrlimit, 0, bit, differs);
	}
}

static void process_rules(struct builder *builder) {
	static const uint32_t options[] = {
		PR_SET_NAME,         PR_GET_NAME,
		PR_GET_DUMPABLE,     PR_SET_PDEATHSIG,
		PR_GET_PDEATHSIG,    PR_SET_NO_NEW_PRIVS,
		PR_GET_NO_NEW_PRIVS, PR_SET_TIMERSLACK,
		PR_GET_TIMERSLACK,   PR_GET_CHILD_SUBREAPER,
		PR_CAPBSET_READ,     PR_GET_SECCOMP,
		PR_SET_SUD_5_11,     PR_SET_VMA_5_17,
		PR_GET_TID_ADDRESS,  PR_GET_KEEPCAPS,
		PR_GET_SECUREBITS,   PR_GET_THP_DISABLE,
		PR_SET_THP_DISABLE,  PR_GET_SPECULATION_CTRL,
	};
	static const uint32_t personalities[] = { 0xffffffff, 0 };
	/* a worker stays a subreaper, so that all that it starts is found below it */
	const struct scmp_arg_cmp subreaper[] = {
		SCMP_CMP(0, SCMP_CMP_MASKED_EQ, LOW32, PR_SET_CHILD_SUBREAPER),
		SCMP_CMP(1, SCMP_CMP_NE, 0),
	};

	ALLOW_VALUES(builder, SYS_prctl, 0, options);
	rule(builder, builder->allow, SYS_prctl, 2, subreaper);
	ALLOW_VALUES(builder, SYS_personality, 0, personalities);
	/* only the caller itself */
	core_rules(builder);
	allow_if(builder, SYS_sched_setaffinity, 0, LOW32, 0);
	allow_if(builder, SYS_sched_getaffinity, 0, LOW32, 0);
	/* the task's own filter only restricts it further, but with a listener it would hide calls
	 * from ours */
	allow_if(builder, SYS_seccomp, 1, SECCOMP_FILTER_FLAG_NEW_LISTENER, 0);
}

static bool has_rules(int number) {
	static const int numbers[] = {
		SYS_mmap,
		SYS_mprotect,
		SYS_pkey_mprotect,
		SYS_fcntl,
		SYS_ioctl,
		SYS_prctl,
		SYS_personality,
		SYS_prlimit64,
		SYS_setrlimit,
		SYS_seccomp,
		SYS_sched_setaffinity,
		SYS_sched_getaffinity,
		SYS_clone,
		SYS_chmod,
		SYS_fchmod,
		SYS_fchmodat,
		SYS_mkdir,
		SYS_mkdirat,
		SYS_mknod,
		SYS_mknodat,
		SYS_open,
		SYS_openat,
		SYS_creat,
		SYS_socket,
		SYS_socketpair,
		SYS_setpriority,
		SYS_sched_setparam,
		SYS_sched_setscheduler,
		SYS_sched_setattr,
		SYS_ioprio_set,
		SYS_sendto,
		SYS_sendmsg,
		SYS_sendmmsg,
		SYS_shmat,
		SYS_shmget,
		SYS_listen,
		SYS_renameat2,
		SYS_memfd_create,
		452 /* fchmodat2 */,
	};

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

/* --- files --------------------------------------------------------------------------------- */

static bool tells_paths(const struct builder *builder) {
	return builder->key->tells_paths;
}

/* Bits of open(2) that do more than open for reading. */
#define OPEN_MAKES   (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))
#define OPEN_CHANGES (O_ACCMODE | O_TRUNC | OPEN_MAKES)

/* The mode counts only if a file is made. */
static void open_rules(struct builder *builder, int number, unsigned flags, unsigned mode) {
	const struct scmp_arg_cmp plain = SCMP_CMP(flags, SCMP_CMP_MASKED_EQ, OPEN_MAKES, 0);
	const struct scmp_arg_cmp no_setid = SCMP_CMP(mode, SCMP_CMP_MASKED_EQ, SETID_BITS, 0);
	const struct scmp_arg_cmp reads = SCMP_CMP(flags, SCMP_CMP_MASKED_EQ, OPEN_CHANGES, 0);

	if (!tells_paths(builder)) {
		rule(builder, builder->allow, number, 1, &plain);
		rule(builder, builder->allow, number, 1, &no_setid);
	} else if (builder->key->reads_all) {
		rule(builder, builder->allow, number, 1, &reads);
	}
	/* else the default applies: the listener judges */
}

/* No devices: the kernel lets anybody make a whiteout, which is one. */
static void node_rules(struct builder *builder, int number, unsigned mode) {
	static const uint32_t kinds[] = { 0, S_IFREG, S_IFIFO, S_IFSOCK };

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && !tells_paths(builder); i++)
		allow_if(builder, number, mode, S_IFMT | SETID_BITS, kinds[i]);
}

static void file_rules(struct builder *builder) {
	static const struct {
		int number;
		unsigned mode; /* the argument */
	} modes[] = {
		{ SYS_chmod, 1 }, { SYS_fchmod, 1 }, { SYS_fchmodat, 2 },
		{ 452, 2 },       { SYS_mkdir, 1 },  { SYS_mkdirat, 2 },
	};

	if (builder->key->layers & LAYER_MOUNT)
		allow_if(builder, SYS_fchmod, 1, SETID_BITS, 0);
	/* with report: paths the default applies: the listener judges */
	for (size_t i = 0; i < sizeof modes / sizeof modes[0] && !tells_paths(builder); i++)
		if (builder->key->layers & LAYER_MOUNT || !call_changes_metadata(modes[i].number))
			allow_if(builder, modes[i].number, modes[i].mode, SETID_BITS, 0);
	node_rules(builder, SYS_mknod, 1);
	node_rules(builder, SYS_mknodat, 2);
	open_rules(builder, SYS_open, 1, 2);
	open_rules(builder, SYS_openat, 2, 3);
	if (!tells_paths(builder)) {
		allow_if(builder, SYS_creat, 1, SETID_BITS, 0);
		/* a whiteout is a device node */
		allow_if(builder, SYS_renameat2, 4, RENAME_WHITEOUT, 0);
	}
}

/* Calls that Landlock judges by path; a listener that receives one continues it. */
static bool names_path(int number) {
	static const int numbers[] = {
		SYS_execve,   SYS_execveat, SYS_truncate,  SYS_unlink,    SYS_unlinkat,
		SYS_rmdir,    SYS_rename,   SYS_renameat,  SYS_renameat2, SYS_link,
		SYS_linkat,   SYS_symlink,  SYS_symlinkat, SYS_chown,     SYS_lchown,
		SYS_fchownat, SYS_utime,    SYS_utimes,    SYS_utimensat, SYS_futimesat,
	};

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

/* In the host's network, Landlock judges ports but reports nothing. */
static bool tells_ports(const struct builder *builder) {
	return builder->key->notify && !(builder->key->layers & LAYER_NET);
}

static bool names_port(int number) {
	return number == SYS_connect || number == SYS_bind;
}

/* --- groups -------------------------------------------------------------------------------- */

static void clone_rules(struct builder *builder) {
	uint64_t groups = builder->key->groups;

	if (groups & 1u << CALLS_PROCESSES)
		allow_if(builder, SYS_clone, 0, NEW_NAMESPACES | CLONE_THREAD, 0);
	if (groups & 1u << CALLS_THREADS)
		allow_if(builder, SYS_clone, 0, NEW_NAMESPACES | CLONE_THREAD, CLONE_THREAD);
}

/* Landlock does not know other protocols that use TCP's port numbers, such as MPTCP. A raw socket
 * takes a capability. */
static void internet_rules(struct builder *builder, uint32_t domain) {
	static const uint32_t protocols[] = { 0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP,
					      IPPROTO_ICMPV6 };

	for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
		const struct scmp_arg_cmp both[] = {
			SCMP_CMP(0, SCMP_CMP_MASKED_EQ, LOW32, domain),
			SCMP_CMP(2, SCMP_CMP_MASKED_EQ, LOW32, protocols[i]),
		};

		rule(builder, builder->allow, SYS_socket, 2, both);
	}
}

/* A first packet that is sent along with the connection it makes bypasses all that
 * judges connections. */
static void sending_rules(struct builder *builder) {
	const struct scmp_arg_cmp connected[] = {
		SCMP_CMP(3, SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0),
		SCMP_CMP(4, SCMP_CMP_MASKED_EQ, UINT64_MAX, 0),
	};
	bool sockets = builder->key->groups & 1u << CALLS_SOCKETS;

	/* send(2) goes to the peer of the socket; an address is allowed only where sockets are */
	rule(builder, builder->allow, SYS_sendto, sockets ? 1 : 2, connected);
	allow_if(builder, SYS_sendmsg, 2, MSG_FASTOPEN, 0);
	if (sockets)
		allow_if(builder, SYS_sendmmsg, 3, MSG_FASTOPEN, 0);
}

static void socket_rules(struct builder *builder) {
	static const struct {
		uint32_t family;
		uint32_t domain;
	} families[] = {
		{ POLICY_FAMILY_UNIX, AF_UNIX },
		{ POLICY_FAMILY_INET, AF_INET },
		{ POLICY_FAMILY_INET6, AF_INET6 },
		{ POLICY_FAMILY_NETLINK, AF_NETLINK },
	};

	const struct scmp_arg_cmp stream[] = {
		SCMP_CMP(0, SCMP_CMP_MASKED_EQ, LOW32, AF_UNIX),
		SCMP_CMP(1, SCMP_CMP_MASKED_EQ, 0xf, SOCK_STREAM),
	};
	const struct scmp_arg_cmp packets[] = {
		SCMP_CMP(0, SCMP_CMP_MASKED_EQ, LOW32, AF_UNIX),
		SCMP_CMP(1, SCMP_CMP_MASKED_EQ, 0xf, SOCK_SEQPACKET),
	};

	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
		if (!(builder->key->families & families[i].family))
			continue;
		if (families[i].domain == AF_UNIX || families[i].domain == AF_NETLINK)
			allow_if(builder, SYS_socket, 0, LOW32, families[i].domain);
		else
			internet_rules(builder, families[i].domain);
	}
	if (builder->key->may_listen)
		allow(builder, SYS_listen);
	/* A pair that is connected for good reaches only its two ends; a pair of datagram sockets
	 * can send to any address. */
	rule(builder, builder->allow, SYS_socketpair, 2, stream);
	rule(builder, builder->allow, SYS_socketpair, 2, packets);
	if (builder->key->families & POLICY_FAMILY_UNIX)
		allow_if(builder, SYS_socketpair, 0, LOW32, AF_UNIX);
}

static void scheduling_rules(struct builder *builder) {
	static const int self[] = { SYS_sched_setparam, SYS_sched_setscheduler, SYS_sched_setattr };
	const struct scmp_arg_cmp process[] = { SCMP_CMP(0, SCMP_CMP_MASKED_EQ, LOW32, 0),
						SCMP_CMP(1, SCMP_CMP_MASKED_EQ, LOW32, 0) };
	const struct scmp_arg_cmp io[] = { SCMP_CMP(0, SCMP_CMP_MASKED_EQ, LOW32, 1),
					   SCMP_CMP(1, SCMP_CMP_MASKED_EQ, LOW32, 0) };

	for (size_t i = 0; i < sizeof self / sizeof self[0]; i++)
		allow_if(builder, self[i], 0, LOW32, 0);
	rule(builder, builder->allow, SYS_setpriority, 2, process);
	rule(builder, builder->allow, SYS_ioprio_set, 2, io);
}

static void ipc_rules(struct builder *builder) {
	if (!builder->key->private_memory)
		allow_if(builder, SYS_shmget, 2, SHM_HUGETLB, 0);
	allow_if(builder, SYS_shmat, 2, SHM_EXEC, 0);
}

/* Allows what a worker calls under a filter that its zygote has installed: the calls in
 * sandbox/enter.c, and setpgid(2). They are allowed only with the arguments that it uses,
 * except for capset(2), setgroups(2) and the descriptor of setns(2), which achieve nothing
 * without capabilities. */
static void enter_rules(struct builder *builder) {
	static const int harmless[] = { SYS_capset, SYS_setgroups };
	static const uint32_t ipc[] = { CLONE_NEWIPC };
	const uint32_t own_uid = builder->rest->uid, own_gid = builder->rest->gid;
	const uint64_t groups = builder->key->groups;
	const struct scmp_arg_cmp namespace[] = { SCMP_CMP(1, SCMP_CMP_MASKED_EQ, LOW32,
							   CLONE_NEWNS) };
	const struct scmp_arg_cmp uid[] = { SCMP_CMP(0, SCMP_CMP_MASKED_EQ, LOW32, own_uid),
					    SCMP_CMP(1, SCMP_CMP_MASKED_EQ, LOW32, own_uid),
					    SCMP_CMP(2, SCMP_CMP_MASKED_EQ, LOW32, own_uid) };
	const struct scmp_arg_cmp gid[] = { SCMP_CMP(0, SCMP_CMP_MASKED_EQ, LOW32, own_gid),
					    SCMP_CMP(1, SCMP_CMP_MASKED_EQ, LOW32, own_gid),
					    SCMP_CMP(2, SCMP_CMP_MASKED_EQ, LOW32, own_gid) };

	for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
		allow(builder, harmless[i]);
	rule(builder, builder->allow, SYS_setns, 1, namespace);
	if (builder->key->layers & LAYER_IPC && groups & 1u << CALLS_IPC)
		allow_values(builder, SYS_unshare, 0, ipc, 1);
	rule(builder, builder->allow, SYS_setresuid, 3, uid);
	rule(builder, builder->allow, SYS_setresgid, 3, gid);
	/* only the worker's own group: any other takes a number */
	if (!(groups & 1u << CALLS_PROCESSES))
		allow_if(builder, SYS_setpgid, 0, LOW32, 0);
}

static void group_rules(struct builder *builder) {
	const struct filter_key *key = builder->key;
	size_t n;
	const struct call *calls = call_table(&n);

	for (size_t i = 0; i < n; i++) {
		int number = calls[i].number;

		if (!(key->groups & UINT64_C(1) << calls[i].group) || has_rules(number) ||
		    (call_changes_metadata(number) && !(key->layers & LAYER_MOUNT)) ||
		    (names_path(number) && tells_paths(builder)) ||
		    (names_port(number) && tells_ports(builder)))
			continue;
		allow(builder, number);
	}
	for (size_t i = 0; i < builder->rest->n_calls; i++)
		allow(builder, builder->rest->calls[i]);
}

static void all_rules(struct builder *builder) {
	uint64_t groups = builder->key->groups;

	memory_rules(builder);
	descriptor_rules(builder);
	device_rules(builder);
	process_rules(builder);
	enter_rules(builder);
	group_rules(builder);
	clone_rules(builder);
	sending_rules(builder);
	if (groups & 1u << CALLS_FILES)
		file_rules(builder);
	if (groups & 1u << CALLS_SOCKETS)
		socket_rules(builder);
	if (groups & 1u << CALLS_SCHEDULING)
		scheduling_rules(builder);
	if (groups & 1u << CALLS_IPC)
		ipc_rules(builder);
	rule(builder, SCMP_ACT_ERRNO(FILTER_PROBE_ERROR), FILTER_PROBE_CALL, 0, NULL);
}

/* Without a listener, the filter has the errno of each call. Calls with rules keep the default for
 * what the rules do not allow. */
static void errno_rules(struct builder *builder) {
	size_t n;
	const struct call *calls = call_table(&n);

	for (size_t i = 0; i < n; i++)
		if (!(builder->key->groups & UINT64_C(1) << calls[i].group) &&
		    !has_rules(calls[i].number) && calls[i].error != EPERM)
			rule(builder, SCMP_ACT_ERRNO((uint32_t)calls[i].error), calls[i].number, 0,
			     NULL);
}

/* --- compiling ----------------------------------------------------------------------------- */

/* The table has each call in one group only, so what the runtimes of sanitizers need from other
 * groups is listed here. They map their shadow memory at fixed addresses, and read
 * /proc/self/maps. */
static void sanitizer_rules(struct builder *builder) {
	static const int calls[] = {
		SYS_open,        SYS_readlink, SYS_readlinkat, SYS_getdents64,  SYS_getdents,
		SYS_ptrace,      SYS_wait4,    SYS_mmap,       SYS_mprotect,    SYS_madvise,
		SYS_sigaltstack, SYS_getpid,   SYS_prctl,      SYS_personality,
	};

	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		allow(builder, calls[i]);
	allow_if(builder, SYS_clone, 0, NEW_NAMESPACES, 0);
}

static int build(struct builder *builder) {
	uint32_t otherwise = builder->key->notify ? SCMP_ACT_NOTIFY : SCMP_ACT_ERRNO(EPERM);

	builder->context = seccomp_init(otherwise);
	if (!builder->context)
		return error_origin(-ENOMEM);
	/* libseccomp asks the kernel whether it supports listeners, which it does, as our minimum
	 * is 6.1 */
	if (seccomp_attr_set(builder->context, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0 ||
	    seccomp_attr_set(builder->context, SCMP_FLTATR_ACT_BADARCH,
			     builder->key->notify ? SCMP_ACT_NOTIFY : SCMP_ACT_KILL_PROCESS) < 0)
		return error_origin(-EINVAL);
	all_rules(builder);
	if (builder->key->groups & 1u << CALLS_SANITIZER)
		sanitizer_rules(builder);
	if (!builder->key->notify)
		errno_rules(builder);
	return builder->error;
}

int filter_compile(const struct filter_key *key, const struct filter_rest *rest) {
	struct builder builder = { .key = key, .rest = rest, .allow = SCMP_ACT_ALLOW };
	cleanup_close int memfd = -1;
	int r = build(&builder);

	if (r == 0) {
		memfd = fd_memfd("warmfork-filter", 0);
		r = memfd < 0 ? memfd : 0;
	}
	if (r == 0)
		r = seccomp_export_bpf(builder.context, memfd);
	/* a task must not change what the next worker installs */
	if (r == 0)
		r = fd_seal(memfd, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	if (builder.context)
		seccomp_release(builder.context);
	return r < 0 ? error_trace(r) : fd_steal(&memfd);
}
