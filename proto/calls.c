/* SPDX-License-Identifier: MIT
 *
 * The system calls of Linux 6.18, written by hand: the headers of a build machine know fewer of
 * them, and what allows a call is a decision, not a fact that could be generated. Those whose place
 * does not follow from the meaning of their group:
 *
 * BASE is everything a worker has under `pure`, so it contains what libc and the worker's own loop
 * call.
 *
 *     newfstatat       fstat(3) of the C library is newfstatat(fd, "", AT_EMPTY_PATH), and a filter
 *                      cannot see that the string is empty. What it finds by name depends on the
 *                      worker's view of files, which is empty under `pure`.
 *     waitid, fchdir   a reused worker asks after each task whether it left a child, and goes back
 *                      to its directory: both only affect what the worker already owns
 *     memfd_create     with ftruncate, fallocate and sendfile: a result that is larger than a frame
 *                      is a memfd
 *     sendto, sendmsg, recvmsg
 *                      the task channel, where send(3) is a sendto; socket and socketpair decide
 *                      whether there are other sockets
 *     tgkill           raise(3) and abort(3). A filter cannot know the caller's own pid, so
 *                      Landlock's signal scope and the pid namespace decide what else it reaches.
 *                      The same goes for rt_tgsigqueueinfo of THREADS.
 *     seccomp, landlock_restrict_self
 *                      what a task adds to itself can only restrict it
 *     uretprobe, uprobe
 *                      these are not made by the task, but by a probe that the host's
 *                      administrator has set in its code, and a refusal would crash it; a task
 *                      that calls them itself gets SIGILL
 *
 * For some calls the arguments decide, and the filter has rules for these: clone, mmap and
 * mprotect, fcntl, ioctl, prctl, personality, prlimit64, seccomp, socket and socketpair, the calls
 * that create a file with a mode, and those that schedule other processes. `clone` is in PROCESSES;
 * such rules make THREADS allow it with CLONE_THREAD, and JIT allow mmap with PROT_EXEC and
 * PROT_WRITE, so these two groups contain little or nothing else.
 *
 * FILES reads extended attributes. Writing them is PRIVILEGED, and refused like on a file system
 * that has none, which archivers and copiers can handle.
 *
 * SANITIZER is empty, because a call has only one group. What the runtimes of AddressSanitizer and
 * similar tools need beyond BASE belongs to other groups: openat, readlink and getdents64 for
 * /proc/self; clone and ptrace for LeakSanitizer. Allowing the group allows these calls by name.
 *
 * NEVER contains calls that are obsolete, that no kernel has any more, or that cannot be judged:
 *
 *     clone3, openat2  their flags and modes are in memory, where a filter cannot look, so they
 *                      would bypass the rules for new namespaces and for setuid bits of new files.
 *                      Libraries call clone and openat when they get ENOSYS.
 *     io_uring_*, io_* open and write past the filter, and use up a quota that all users share
 *     userfaultfd      wins races against the kernel
 *     keyctl and its family
 *                      the session keyring is that of the host's user
 *
 * A refusal is ENOSYS where libraries have another way that they only take then: for newer calls,
 * and for those that a kernel may be built without. Everything else is EPERM.
 */
#include "proto/calls.h"

#include <errno.h>
#include <string.h>

#define NOTHING     ARGUMENT_NONE
#define NUMBER      ARGUMENT_NUMBER
#define HEX         ARGUMENT_HEX
#define FD          ARGUMENT_FD
#define DIRECTORY   ARGUMENT_DIRECTORY_FD
#define PATH        ARGUMENT_PATH
#define OPEN_FLAGS  ARGUMENT_OPEN_FLAGS
#define MODE        ARGUMENT_MODE
#define FAMILY      ARGUMENT_FAMILY
#define SOCKET_TYPE ARGUMENT_SOCKET_TYPE
#define CLONE_FLAGS ARGUMENT_CLONE_FLAGS
#define SIGNAL      ARGUMENT_SIGNAL
#define REQUEST     ARGUMENT_REQUEST

/* clang-format off */
#define CALL(number, name, group, error, ...) \
	{ number, name, CALLS_##group, error, { __VA_ARGS__ } }

/* Numbers 337 to 423 are unused: from 424 on, all ABIs of Linux share theirs. */
static const struct call calls[] = {
	CALL(0, "read", BASE, EPERM, FD, HEX, NUMBER),
	CALL(1, "write", BASE, EPERM, FD, HEX, NUMBER),
	CALL(2, "open", FILES, EPERM, PATH, OPEN_FLAGS, MODE),
	CALL(3, "close", BASE, EPERM, FD),
	CALL(4, "stat", FILES, EPERM, PATH, HEX),
	CALL(5, "fstat", BASE, EPERM, FD, HEX),
	CALL(6, "lstat", FILES, EPERM, PATH, HEX),
	CALL(7, "poll", BASE, EPERM, HEX, NUMBER, NUMBER),
	CALL(8, "lseek", BASE, EPERM, FD, NUMBER, NUMBER),
	CALL(9, "mmap", BASE, EPERM, HEX, NUMBER, HEX, HEX, FD, NUMBER),
	CALL(10, "mprotect", BASE, EPERM, HEX, NUMBER, HEX),
	CALL(11, "munmap", BASE, EPERM, HEX, NUMBER),
	CALL(12, "brk", BASE, EPERM, HEX),
	CALL(13, "rt_sigaction", BASE, EPERM, SIGNAL, HEX, HEX, NUMBER),
	CALL(14, "rt_sigprocmask", BASE, EPERM, NUMBER, HEX, HEX, NUMBER),
	CALL(15, "rt_sigreturn", BASE, EPERM, NOTHING),
	CALL(16, "ioctl", BASE, EPERM, FD, REQUEST, HEX),
	CALL(17, "pread64", BASE, EPERM, FD, HEX, NUMBER, NUMBER),
	CALL(18, "pwrite64", BASE, EPERM, FD, HEX, NUMBER, NUMBER),
	CALL(19, "readv", BASE, EPERM, FD, HEX, NUMBER),
	CALL(20, "writev", BASE, EPERM, FD, HEX, NUMBER),
	CALL(21, "access", FILES, EPERM, PATH, MODE),
	CALL(22, "pipe", FILES, EPERM, HEX),
	CALL(23, "select", BASE, EPERM, NUMBER, HEX, HEX, HEX, HEX),
	CALL(24, "sched_yield", BASE, EPERM, NOTHING),
	CALL(25, "mremap", BASE, EPERM, HEX, NUMBER, NUMBER, HEX, HEX),
	CALL(26, "msync", BASE, EPERM, HEX, NUMBER, HEX),
	CALL(27, "mincore", BASE, EPERM, HEX, NUMBER, HEX),
	CALL(28, "madvise", BASE, EPERM, HEX, NUMBER, NUMBER),
	CALL(29, "shmget", IPC, EPERM, HEX, NUMBER, HEX),
	CALL(30, "shmat", IPC, EPERM, NUMBER, HEX, HEX),
	CALL(31, "shmctl", IPC, EPERM, NUMBER, NUMBER, HEX),
	CALL(32, "dup", BASE, EPERM, FD),
	CALL(33, "dup2", BASE, EPERM, FD, FD),
	CALL(34, "pause", BASE, EPERM, NOTHING),
	CALL(35, "nanosleep", BASE, EPERM, HEX, HEX),
	CALL(36, "getitimer", BASE, EPERM, NUMBER, HEX),
	CALL(37, "alarm", BASE, EPERM, NUMBER),
	CALL(38, "setitimer", BASE, EPERM, NUMBER, HEX, HEX),
	CALL(39, "getpid", BASE, EPERM, NOTHING),
	CALL(40, "sendfile", BASE, EPERM, FD, FD, HEX, NUMBER),
	CALL(41, "socket", SOCKETS, EPERM, FAMILY, SOCKET_TYPE, NUMBER),
	CALL(42, "connect", SOCKETS, EPERM, FD, HEX, NUMBER),
	CALL(43, "accept", SOCKETS, EPERM, FD, HEX, HEX),
	CALL(44, "sendto", BASE, EPERM, FD, HEX, NUMBER, HEX, HEX, NUMBER),
	CALL(45, "recvfrom", SOCKETS, EPERM, FD, HEX, NUMBER, HEX, HEX, HEX),
	CALL(46, "sendmsg", BASE, EPERM, FD, HEX, HEX),
	CALL(47, "recvmsg", BASE, EPERM, FD, HEX, HEX),
	CALL(48, "shutdown", BASE, EPERM, FD, NUMBER),
	CALL(49, "bind", SOCKETS, EPERM, FD, HEX, NUMBER),
	CALL(50, "listen", SOCKETS, EPERM, FD, NUMBER),
	CALL(51, "getsockname", SOCKETS, EPERM, FD, HEX, HEX),
	CALL(52, "getpeername", SOCKETS, EPERM, FD, HEX, HEX),
	CALL(53, "socketpair", SOCKETS, EPERM, FAMILY, SOCKET_TYPE, NUMBER, HEX),
	CALL(54, "setsockopt", SOCKETS, EPERM, FD, NUMBER, NUMBER, HEX, NUMBER),
	CALL(55, "getsockopt", SOCKETS, EPERM, FD, NUMBER, NUMBER, HEX, HEX),
	CALL(56, "clone", PROCESSES, EPERM, CLONE_FLAGS, HEX, HEX, HEX, HEX),
	CALL(57, "fork", PROCESSES, EPERM, NOTHING),
	CALL(58, "vfork", PROCESSES, EPERM, NOTHING),
	CALL(59, "execve", PROCESSES, EPERM, PATH, HEX, HEX),
	CALL(60, "exit", BASE, EPERM, NUMBER),
	CALL(61, "wait4", PROCESSES, EPERM, NUMBER, HEX, HEX, HEX),
	CALL(62, "kill", PROCESSES, EPERM, NUMBER, SIGNAL),
	CALL(63, "uname", BASE, EPERM, HEX),
	CALL(64, "semget", IPC, EPERM, HEX, NUMBER, HEX),
	CALL(65, "semop", IPC, EPERM, NUMBER, HEX, NUMBER),
	CALL(66, "semctl", IPC, EPERM, NUMBER, NUMBER, NUMBER, HEX),
	CALL(67, "shmdt", IPC, EPERM, HEX),
	CALL(68, "msgget", IPC, EPERM, HEX, HEX),
	CALL(69, "msgsnd", IPC, EPERM, NUMBER, HEX, NUMBER, HEX),
	CALL(70, "msgrcv", IPC, EPERM, NUMBER, HEX, NUMBER, NUMBER, HEX),
	CALL(71, "msgctl", IPC, EPERM, NUMBER, NUMBER, HEX),
	CALL(72, "fcntl", BASE, EPERM, FD, NUMBER, HEX),
	CALL(73, "flock", FILES, EPERM, FD, HEX),
	CALL(74, "fsync", FILES, EPERM, FD),
	CALL(75, "fdatasync", FILES, EPERM, FD),
	CALL(76, "truncate", FILES, EPERM, PATH, NUMBER),
	CALL(77, "ftruncate", BASE, EPERM, FD, NUMBER),
	CALL(78, "getdents", FILES, EPERM, FD, HEX, NUMBER),
	CALL(79, "getcwd", FILES, EPERM, HEX, NUMBER),
	CALL(80, "chdir", FILES, EPERM, PATH),
	CALL(81, "fchdir", BASE, EPERM, FD),
	CALL(82, "rename", FILES, EPERM, PATH, PATH),
	CALL(83, "mkdir", FILES, EPERM, PATH, MODE),
	CALL(84, "rmdir", FILES, EPERM, PATH),
	CALL(85, "creat", FILES, EPERM, PATH, MODE),
	CALL(86, "link", FILES, EPERM, PATH, PATH),
	CALL(87, "unlink", FILES, EPERM, PATH),
	CALL(88, "symlink", FILES, EPERM, PATH, PATH),
	CALL(89, "readlink", FILES, EPERM, PATH, HEX, NUMBER),
	CALL(90, "chmod", FILES, EPERM, PATH, MODE),
	CALL(91, "fchmod", FILES, EPERM, FD, MODE),
	CALL(92, "chown", FILES, EPERM, PATH, NUMBER, NUMBER),
	CALL(93, "fchown", FILES, EPERM, FD, NUMBER, NUMBER),
	CALL(94, "lchown", FILES, EPERM, PATH, NUMBER, NUMBER),
	CALL(95, "umask", BASE, EPERM, MODE),
	CALL(96, "gettimeofday", BASE, EPERM, HEX, HEX),
	CALL(97, "getrlimit", BASE, EPERM, NUMBER, HEX),
	CALL(98, "getrusage", BASE, EPERM, NUMBER, HEX),
	CALL(99, "sysinfo", BASE, EPERM, HEX),
	CALL(100, "times", BASE, EPERM, HEX),
	CALL(101, "ptrace", DEBUG, EPERM, REQUEST, NUMBER, HEX, HEX),
	CALL(102, "getuid", BASE, EPERM, NOTHING),
	CALL(103, "syslog", PRIVILEGED, EPERM, NUMBER, HEX, NUMBER),
	CALL(104, "getgid", BASE, EPERM, NOTHING),
	CALL(105, "setuid", PRIVILEGED, EPERM, NUMBER),
	CALL(106, "setgid", PRIVILEGED, EPERM, NUMBER),
	CALL(107, "geteuid", BASE, EPERM, NOTHING),
	CALL(108, "getegid", BASE, EPERM, NOTHING),
	CALL(109, "setpgid", PROCESSES, EPERM, NUMBER, NUMBER),
	CALL(110, "getppid", BASE, EPERM, NOTHING),
	CALL(111, "getpgrp", BASE, EPERM, NOTHING),
	CALL(112, "setsid", PROCESSES, EPERM, NOTHING),
	CALL(113, "setreuid", PRIVILEGED, EPERM, NUMBER, NUMBER),
	CALL(114, "setregid", PRIVILEGED, EPERM, NUMBER, NUMBER),
	CALL(115, "getgroups", BASE, EPERM, NUMBER, HEX),
	CALL(116, "setgroups", PRIVILEGED, EPERM, NUMBER, HEX),
	CALL(117, "setresuid", PRIVILEGED, EPERM, NUMBER, NUMBER, NUMBER),
	CALL(118, "getresuid", BASE, EPERM, HEX, HEX, HEX),
	CALL(119, "setresgid", PRIVILEGED, EPERM, NUMBER, NUMBER, NUMBER),
	CALL(120, "getresgid", BASE, EPERM, HEX, HEX, HEX),
	CALL(121, "getpgid", BASE, EPERM, NUMBER),
	CALL(122, "setfsuid", PRIVILEGED, EPERM, NUMBER),
	CALL(123, "setfsgid", PRIVILEGED, EPERM, NUMBER),
	CALL(124, "getsid", BASE, EPERM, NUMBER),
	CALL(125, "capget", BASE, EPERM, HEX, HEX),
	CALL(126, "capset", PRIVILEGED, EPERM, HEX, HEX),
	CALL(127, "rt_sigpending", BASE, EPERM, HEX, NUMBER),
	CALL(128, "rt_sigtimedwait", BASE, EPERM, HEX, HEX, HEX, NUMBER),
	CALL(129, "rt_sigqueueinfo", PROCESSES, EPERM, NUMBER, SIGNAL, HEX),
	CALL(130, "rt_sigsuspend", BASE, EPERM, HEX, NUMBER),
	CALL(131, "sigaltstack", BASE, EPERM, HEX, HEX),
	CALL(132, "utime", FILES, EPERM, PATH, HEX),
	CALL(133, "mknod", FILES, EPERM, PATH, MODE, HEX),
	CALL(134, "uselib", NEVER, ENOSYS, PATH),
	CALL(135, "personality", BASE, EPERM, HEX),
	CALL(136, "ustat", NEVER, ENOSYS, HEX, HEX),
	CALL(137, "statfs", FILES, EPERM, PATH, HEX),
	CALL(138, "fstatfs", FILES, EPERM, FD, HEX),
	CALL(139, "sysfs", NEVER, ENOSYS, NUMBER, HEX, HEX),
	CALL(140, "getpriority", BASE, EPERM, NUMBER, NUMBER),
	CALL(141, "setpriority", SCHEDULING, EPERM, NUMBER, NUMBER, NUMBER),
	CALL(142, "sched_setparam", SCHEDULING, EPERM, NUMBER, HEX),
	CALL(143, "sched_getparam", BASE, EPERM, NUMBER, HEX),
	CALL(144, "sched_setscheduler", SCHEDULING, EPERM, NUMBER, NUMBER, HEX),
	CALL(145, "sched_getscheduler", BASE, EPERM, NUMBER),
	CALL(146, "sched_get_priority_max", BASE, EPERM, NUMBER),
	CALL(147, "sched_get_priority_min", BASE, EPERM, NUMBER),
	CALL(148, "sched_rr_get_interval", BASE, EPERM, NUMBER, HEX),
	CALL(149, "mlock", BASE, EPERM, HEX, NUMBER),
	CALL(150, "munlock", BASE, EPERM, HEX, NUMBER),
	CALL(151, "mlockall", BASE, EPERM, HEX),
	CALL(152, "munlockall", BASE, EPERM, NOTHING),
	CALL(153, "vhangup", PRIVILEGED, EPERM, NOTHING),
	CALL(154, "modify_ldt", NEVER, ENOSYS, NUMBER, HEX, NUMBER),
	CALL(155, "pivot_root", PRIVILEGED, EPERM, PATH, PATH),
	CALL(156, "_sysctl", NEVER, ENOSYS, HEX),
	CALL(157, "prctl", BASE, EPERM, REQUEST, HEX, HEX, HEX, HEX),
	CALL(158, "arch_prctl", BASE, EPERM, REQUEST, HEX),
	CALL(159, "adjtimex", PRIVILEGED, EPERM, HEX),
	CALL(160, "setrlimit", BASE, EPERM, NUMBER, HEX),
	CALL(161, "chroot", PRIVILEGED, EPERM, PATH),
	CALL(162, "sync", FILES, EPERM, NOTHING),
	CALL(163, "acct", PRIVILEGED, EPERM, PATH),
	CALL(164, "settimeofday", PRIVILEGED, EPERM, HEX, HEX),
	CALL(165, "mount", PRIVILEGED, EPERM, PATH, PATH, PATH, HEX, HEX),
	CALL(166, "umount2", PRIVILEGED, EPERM, PATH, HEX),
	CALL(167, "swapon", PRIVILEGED, EPERM, PATH, HEX),
	CALL(168, "swapoff", PRIVILEGED, EPERM, PATH),
	CALL(169, "reboot", PRIVILEGED, EPERM, HEX, HEX, REQUEST, HEX),
	CALL(170, "sethostname", PRIVILEGED, EPERM, HEX, NUMBER),
	CALL(171, "setdomainname", PRIVILEGED, EPERM, HEX, NUMBER),
	CALL(172, "iopl", PRIVILEGED, EPERM, NUMBER),
	CALL(173, "ioperm", PRIVILEGED, EPERM, HEX, NUMBER, NUMBER),
	CALL(174, "create_module", NEVER, ENOSYS, PATH, NUMBER),
	CALL(175, "init_module", PRIVILEGED, EPERM, HEX, NUMBER, PATH),
	CALL(176, "delete_module", PRIVILEGED, EPERM, PATH, HEX),
	CALL(177, "get_kernel_syms", NEVER, ENOSYS, HEX),
	CALL(178, "query_module", NEVER, ENOSYS, PATH, NUMBER, HEX, NUMBER, HEX),
	CALL(179, "quotactl", PRIVILEGED, EPERM, REQUEST, PATH, NUMBER, HEX),
	CALL(180, "nfsservctl", PRIVILEGED, EPERM, NUMBER, HEX, HEX),
	CALL(181, "getpmsg", NEVER, ENOSYS, HEX, HEX, HEX, HEX, HEX),
	CALL(182, "putpmsg", NEVER, ENOSYS, HEX, HEX, HEX, HEX, HEX),
	CALL(183, "afs_syscall", NEVER, ENOSYS, HEX, HEX, HEX, HEX, HEX),
	CALL(184, "tuxcall", NEVER, ENOSYS, HEX, HEX, HEX),
	CALL(185, "security", NEVER, ENOSYS, HEX, HEX, HEX),
	CALL(186, "gettid", BASE, EPERM, NOTHING),
	CALL(187, "readahead", FILES, EPERM, FD, NUMBER, NUMBER),
	CALL(188, "setxattr", PRIVILEGED, EOPNOTSUPP, PATH, PATH, HEX, NUMBER, HEX),
	CALL(189, "lsetxattr", PRIVILEGED, EOPNOTSUPP, PATH, PATH, HEX, NUMBER, HEX),
	CALL(190, "fsetxattr", PRIVILEGED, EOPNOTSUPP, FD, PATH, HEX, NUMBER, HEX),
	CALL(191, "getxattr", FILES, EPERM, PATH, PATH, HEX, NUMBER),
	CALL(192, "lgetxattr", FILES, EPERM, PATH, PATH, HEX, NUMBER),
	CALL(193, "fgetxattr", FILES, EPERM, FD, PATH, HEX, NUMBER),
	CALL(194, "listxattr", FILES, EPERM, PATH, HEX, NUMBER),
	CALL(195, "llistxattr", FILES, EPERM, PATH, HEX, NUMBER),
	CALL(196, "flistxattr", FILES, EPERM, FD, HEX, NUMBER),
	CALL(197, "removexattr", PRIVILEGED, EOPNOTSUPP, PATH, PATH),
	CALL(198, "lremovexattr", PRIVILEGED, EOPNOTSUPP, PATH, PATH),
	CALL(199, "fremovexattr", PRIVILEGED, EOPNOTSUPP, FD, PATH),
	CALL(200, "tkill", PROCESSES, EPERM, NUMBER, SIGNAL),
	CALL(201, "time", BASE, EPERM, HEX),
	CALL(202, "futex", BASE, EPERM, HEX, HEX, NUMBER, HEX, HEX, NUMBER),
	CALL(203, "sched_setaffinity", SCHEDULING, EPERM, NUMBER, NUMBER, HEX),
	CALL(204, "sched_getaffinity", BASE, EPERM, NUMBER, NUMBER, HEX),
	CALL(205, "set_thread_area", NEVER, ENOSYS, HEX),
	CALL(206, "io_setup", NEVER, ENOSYS, NUMBER, HEX),
	CALL(207, "io_destroy", NEVER, ENOSYS, HEX),
	CALL(208, "io_getevents", NEVER, ENOSYS, HEX, NUMBER, NUMBER, HEX, HEX),
	CALL(209, "io_submit", NEVER, ENOSYS, HEX, NUMBER, HEX),
	CALL(210, "io_cancel", NEVER, ENOSYS, HEX, HEX, HEX),
	CALL(211, "get_thread_area", NEVER, ENOSYS, HEX),
	CALL(212, "lookup_dcookie", PRIVILEGED, EPERM, HEX, HEX, NUMBER),
	CALL(213, "epoll_create", EVENTS, EPERM, NUMBER),
	CALL(214, "epoll_ctl_old", NEVER, ENOSYS, HEX, HEX, HEX, HEX),
	CALL(215, "epoll_wait_old", NEVER, ENOSYS, HEX, HEX, HEX, HEX),
	CALL(216, "remap_file_pages", NEVER, ENOSYS, HEX, NUMBER, HEX, NUMBER, HEX),
	CALL(217, "getdents64", FILES, EPERM, FD, HEX, NUMBER),
	CALL(218, "set_tid_address", BASE, EPERM, HEX),
	CALL(219, "restart_syscall", BASE, EPERM, NOTHING),
	CALL(220, "semtimedop", IPC, EPERM, NUMBER, HEX, NUMBER, HEX),
	CALL(221, "fadvise64", FILES, EPERM, FD, NUMBER, NUMBER, NUMBER),
	CALL(222, "timer_create", BASE, EPERM, NUMBER, HEX, HEX),
	CALL(223, "timer_settime", BASE, EPERM, NUMBER, HEX, HEX, HEX),
	CALL(224, "timer_gettime", BASE, EPERM, NUMBER, HEX),
	CALL(225, "timer_getoverrun", BASE, EPERM, NUMBER),
	CALL(226, "timer_delete", BASE, EPERM, NUMBER),
	CALL(227, "clock_settime", PRIVILEGED, EPERM, NUMBER, HEX),
	CALL(228, "clock_gettime", BASE, EPERM, NUMBER, HEX),
	CALL(229, "clock_getres", BASE, EPERM, NUMBER, HEX),
	CALL(230, "clock_nanosleep", BASE, EPERM, NUMBER, HEX, HEX, HEX),
	CALL(231, "exit_group", BASE, EPERM, NUMBER),
	CALL(232, "epoll_wait", EVENTS, EPERM, FD, HEX, NUMBER, NUMBER),
	CALL(233, "epoll_ctl", EVENTS, EPERM, FD, NUMBER, FD, HEX),
	CALL(234, "tgkill", BASE, EPERM, NUMBER, NUMBER, SIGNAL),
	CALL(235, "utimes", FILES, EPERM, PATH, HEX),
	CALL(236, "vserver", NEVER, ENOSYS, HEX, HEX, HEX, HEX, HEX),
	CALL(237, "mbind", SCHEDULING, ENOSYS, HEX, NUMBER, NUMBER, HEX, NUMBER, HEX),
	CALL(238, "set_mempolicy", SCHEDULING, ENOSYS, NUMBER, HEX, NUMBER),
	CALL(239, "get_mempolicy", SCHEDULING, ENOSYS, HEX, HEX, NUMBER, HEX, HEX),
	CALL(240, "mq_open", IPC, EPERM, PATH, OPEN_FLAGS, MODE, HEX),
	CALL(241, "mq_unlink", IPC, EPERM, PATH),
	CALL(242, "mq_timedsend", IPC, EPERM, FD, HEX, NUMBER, NUMBER, HEX),
	CALL(243, "mq_timedreceive", IPC, EPERM, FD, HEX, NUMBER, HEX, HEX),
	CALL(244, "mq_notify", IPC, EPERM, FD, HEX),
	CALL(245, "mq_getsetattr", IPC, EPERM, FD, HEX, HEX),
	CALL(246, "kexec_load", PRIVILEGED, EPERM, HEX, NUMBER, HEX, HEX),
	CALL(247, "waitid", BASE, EPERM, NUMBER, NUMBER, HEX, HEX, HEX),
	CALL(248, "add_key", NEVER, ENOSYS, PATH, PATH, HEX, NUMBER, NUMBER),
	CALL(249, "request_key", NEVER, ENOSYS, PATH, PATH, PATH, NUMBER),
	CALL(250, "keyctl", NEVER, ENOSYS, REQUEST, HEX, HEX, HEX, HEX),
	CALL(251, "ioprio_set", SCHEDULING, EPERM, NUMBER, NUMBER, HEX),
	CALL(252, "ioprio_get", SCHEDULING, EPERM, NUMBER, NUMBER),
	CALL(253, "inotify_init", INOTIFY, ENOSYS, NOTHING),
	CALL(254, "inotify_add_watch", INOTIFY, EPERM, FD, PATH, HEX),
	CALL(255, "inotify_rm_watch", INOTIFY, EPERM, FD, NUMBER),
	CALL(256, "migrate_pages", DEBUG, EPERM, NUMBER, NUMBER, HEX, HEX),
	CALL(257, "openat", FILES, EPERM, DIRECTORY, PATH, OPEN_FLAGS, MODE),
	CALL(258, "mkdirat", FILES, EPERM, DIRECTORY, PATH, MODE),
	CALL(259, "mknodat", FILES, EPERM, DIRECTORY, PATH, MODE, HEX),
	CALL(260, "fchownat", FILES, EPERM, DIRECTORY, PATH, NUMBER, NUMBER, HEX),
	CALL(261, "futimesat", FILES, EPERM, DIRECTORY, PATH, HEX),
	CALL(262, "newfstatat", BASE, EPERM, DIRECTORY, PATH, HEX, HEX),
	CALL(263, "unlinkat", FILES, EPERM, DIRECTORY, PATH, HEX),
	CALL(264, "renameat", FILES, EPERM, DIRECTORY, PATH, DIRECTORY, PATH),
	CALL(265, "linkat", FILES, EPERM, DIRECTORY, PATH, DIRECTORY, PATH, HEX),
	CALL(266, "symlinkat", FILES, EPERM, PATH, DIRECTORY, PATH),
	CALL(267, "readlinkat", FILES, EPERM, DIRECTORY, PATH, HEX, NUMBER),
	CALL(268, "fchmodat", FILES, EPERM, DIRECTORY, PATH, MODE),
	CALL(269, "faccessat", FILES, EPERM, DIRECTORY, PATH, MODE),
	CALL(270, "pselect6", BASE, EPERM, NUMBER, HEX, HEX, HEX, HEX, HEX),
	CALL(271, "ppoll", BASE, EPERM, HEX, NUMBER, HEX, HEX, NUMBER),
	CALL(272, "unshare", PRIVILEGED, EPERM, CLONE_FLAGS),
	CALL(273, "set_robust_list", BASE, EPERM, HEX, NUMBER),
	CALL(274, "get_robust_list", DEBUG, EPERM, NUMBER, HEX, HEX),
	CALL(275, "splice", FILES, EPERM, FD, HEX, FD, HEX, NUMBER, HEX),
	CALL(276, "tee", FILES, EPERM, FD, FD, NUMBER, HEX),
	CALL(277, "sync_file_range", FILES, EPERM, FD, NUMBER, NUMBER, HEX),
	CALL(278, "vmsplice", FILES, EPERM, FD, HEX, NUMBER, HEX),
	CALL(279, "move_pages", DEBUG, EPERM, NUMBER, NUMBER, HEX, HEX, HEX, HEX),
	CALL(280, "utimensat", FILES, EPERM, DIRECTORY, PATH, HEX, HEX),
	CALL(281, "epoll_pwait", EVENTS, EPERM, FD, HEX, NUMBER, NUMBER, HEX, NUMBER),
	CALL(282, "signalfd", EVENTS, EPERM, FD, HEX, NUMBER),
	CALL(283, "timerfd_create", EVENTS, EPERM, NUMBER, HEX),
	CALL(284, "eventfd", EVENTS, EPERM, NUMBER),
	CALL(285, "fallocate", BASE, EPERM, FD, HEX, NUMBER, NUMBER),
	CALL(286, "timerfd_settime", EVENTS, EPERM, FD, HEX, HEX, HEX),
	CALL(287, "timerfd_gettime", EVENTS, EPERM, FD, HEX),
	CALL(288, "accept4", SOCKETS, EPERM, FD, HEX, HEX, HEX),
	CALL(289, "signalfd4", EVENTS, EPERM, FD, HEX, NUMBER, HEX),
	CALL(290, "eventfd2", EVENTS, EPERM, NUMBER, HEX),
	CALL(291, "epoll_create1", EVENTS, EPERM, HEX),
	CALL(292, "dup3", BASE, EPERM, FD, FD, HEX),
	CALL(293, "pipe2", FILES, EPERM, HEX, HEX),
	CALL(294, "inotify_init1", INOTIFY, ENOSYS, HEX),
	CALL(295, "preadv", BASE, EPERM, FD, HEX, NUMBER, NUMBER, NUMBER),
	CALL(296, "pwritev", BASE, EPERM, FD, HEX, NUMBER, NUMBER, NUMBER),
	CALL(297, "rt_tgsigqueueinfo", THREADS, EPERM, NUMBER, NUMBER, SIGNAL, HEX),
	CALL(298, "perf_event_open", PRIVILEGED, EPERM, HEX, NUMBER, NUMBER, FD, HEX),
	CALL(299, "recvmmsg", SOCKETS, EPERM, FD, HEX, NUMBER, HEX, HEX),
	CALL(300, "fanotify_init", PRIVILEGED, EPERM, HEX, OPEN_FLAGS),
	CALL(301, "fanotify_mark", PRIVILEGED, EPERM, FD, HEX, HEX, DIRECTORY, PATH),
	CALL(302, "prlimit64", BASE, ENOSYS, NUMBER, NUMBER, HEX, HEX),
	CALL(303, "name_to_handle_at", PRIVILEGED, EPERM, DIRECTORY, PATH, HEX, HEX, HEX),
	CALL(304, "open_by_handle_at", PRIVILEGED, EPERM, FD, HEX, OPEN_FLAGS),
	CALL(305, "clock_adjtime", PRIVILEGED, EPERM, NUMBER, HEX),
	CALL(306, "syncfs", FILES, EPERM, FD),
	CALL(307, "sendmmsg", SOCKETS, EPERM, FD, HEX, NUMBER, HEX),
	CALL(308, "setns", PRIVILEGED, EPERM, FD, CLONE_FLAGS),
	CALL(309, "getcpu", BASE, EPERM, HEX, HEX, HEX),
	CALL(310, "process_vm_readv", DEBUG, ENOSYS, NUMBER, HEX, NUMBER, HEX, NUMBER, HEX),
	CALL(311, "process_vm_writev", DEBUG, ENOSYS, NUMBER, HEX, NUMBER, HEX, NUMBER, HEX),
	CALL(312, "kcmp", DEBUG, EPERM, NUMBER, NUMBER, NUMBER, HEX, HEX),
	CALL(313, "finit_module", PRIVILEGED, EPERM, FD, PATH, HEX),
	CALL(314, "sched_setattr", SCHEDULING, ENOSYS, NUMBER, HEX, HEX),
	CALL(315, "sched_getattr", BASE, ENOSYS, NUMBER, HEX, NUMBER, HEX),
	CALL(316, "renameat2", FILES, ENOSYS, DIRECTORY, PATH, DIRECTORY, PATH, HEX),
	CALL(317, "seccomp", BASE, EPERM, REQUEST, HEX, HEX),
	CALL(318, "getrandom", BASE, ENOSYS, HEX, NUMBER, HEX),
	CALL(319, "memfd_create", BASE, ENOSYS, PATH, HEX),
	CALL(320, "kexec_file_load", PRIVILEGED, EPERM, FD, FD, NUMBER, PATH, HEX),
	CALL(321, "bpf", PRIVILEGED, EPERM, REQUEST, HEX, NUMBER),
	CALL(322, "execveat", PROCESSES, EPERM, DIRECTORY, PATH, HEX, HEX, HEX),
	CALL(323, "userfaultfd", NEVER, EPERM, HEX),
	CALL(324, "membarrier", BASE, ENOSYS, REQUEST, HEX, NUMBER),
	CALL(325, "mlock2", BASE, ENOSYS, HEX, NUMBER, HEX),
	CALL(326, "copy_file_range", FILES, ENOSYS, FD, HEX, FD, HEX, NUMBER, HEX),
	CALL(327, "preadv2", BASE, ENOSYS, FD, HEX, NUMBER, NUMBER, NUMBER, HEX),
	CALL(328, "pwritev2", BASE, ENOSYS, FD, HEX, NUMBER, NUMBER, NUMBER, HEX),
	CALL(329, "pkey_mprotect", BASE, ENOSYS, HEX, NUMBER, HEX, NUMBER),
	CALL(330, "pkey_alloc", BASE, ENOSYS, HEX, HEX),
	CALL(331, "pkey_free", BASE, ENOSYS, NUMBER),
	CALL(332, "statx", FILES, ENOSYS, DIRECTORY, PATH, HEX, HEX, HEX),
	CALL(333, "io_pgetevents", NEVER, ENOSYS, HEX, NUMBER, NUMBER, HEX, HEX, HEX),
	CALL(334, "rseq", BASE, ENOSYS, HEX, NUMBER, HEX, HEX),
	CALL(335, "uretprobe", BASE, ENOSYS, NOTHING),
	CALL(336, "uprobe", BASE, ENOSYS, NOTHING),
	CALL(424, "pidfd_send_signal", PROCESSES, EPERM, FD, SIGNAL, HEX, HEX),
	CALL(425, "io_uring_setup", NEVER, ENOSYS, NUMBER, HEX),
	CALL(426, "io_uring_enter", NEVER, ENOSYS, FD, NUMBER, NUMBER, HEX, HEX, NUMBER),
	CALL(427, "io_uring_register", NEVER, ENOSYS, FD, REQUEST, HEX, NUMBER),
	CALL(428, "open_tree", PRIVILEGED, EPERM, DIRECTORY, PATH, HEX),
	CALL(429, "move_mount", PRIVILEGED, EPERM, DIRECTORY, PATH, DIRECTORY, PATH, HEX),
	CALL(430, "fsopen", PRIVILEGED, EPERM, PATH, HEX),
	CALL(431, "fsconfig", PRIVILEGED, EPERM, FD, REQUEST, PATH, HEX, NUMBER),
	CALL(432, "fsmount", PRIVILEGED, EPERM, FD, HEX, HEX),
	CALL(433, "fspick", PRIVILEGED, EPERM, DIRECTORY, PATH, HEX),
	CALL(434, "pidfd_open", PROCESSES, ENOSYS, NUMBER, HEX),
	CALL(435, "clone3", NEVER, ENOSYS, HEX, NUMBER),
	CALL(436, "close_range", BASE, ENOSYS, FD, FD, HEX),
	CALL(437, "openat2", NEVER, ENOSYS, DIRECTORY, PATH, HEX, NUMBER),
	CALL(438, "pidfd_getfd", DEBUG, EPERM, FD, FD, HEX),
	CALL(439, "faccessat2", FILES, ENOSYS, DIRECTORY, PATH, MODE, HEX),
	CALL(440, "process_madvise", DEBUG, ENOSYS, FD, HEX, NUMBER, NUMBER, HEX),
	CALL(441, "epoll_pwait2", EVENTS, ENOSYS, FD, HEX, NUMBER, HEX, HEX, NUMBER),
	CALL(442, "mount_setattr", PRIVILEGED, EPERM, DIRECTORY, PATH, HEX, HEX, NUMBER),
	CALL(443, "quotactl_fd", PRIVILEGED, EPERM, FD, REQUEST, NUMBER, HEX),
	CALL(444, "landlock_create_ruleset", FILES, ENOSYS, HEX, NUMBER, HEX),
	CALL(445, "landlock_add_rule", FILES, ENOSYS, FD, NUMBER, HEX, HEX),
	CALL(446, "landlock_restrict_self", BASE, ENOSYS, FD, HEX),
	CALL(447, "memfd_secret", NEVER, ENOSYS, HEX),
	CALL(448, "process_mrelease", DEBUG, ENOSYS, FD, HEX),
	CALL(449, "futex_waitv", BASE, ENOSYS, HEX, NUMBER, HEX, HEX, NUMBER),
	CALL(450, "set_mempolicy_home_node", SCHEDULING, ENOSYS, HEX, NUMBER, NUMBER, HEX),
	CALL(451, "cachestat", FILES, ENOSYS, FD, HEX, HEX, HEX),
	CALL(452, "fchmodat2", FILES, ENOSYS, DIRECTORY, PATH, MODE, HEX),
	CALL(453, "map_shadow_stack", BASE, ENOSYS, HEX, NUMBER, HEX),
	CALL(454, "futex_wake", BASE, ENOSYS, HEX, HEX, NUMBER, HEX),
	CALL(455, "futex_wait", BASE, ENOSYS, HEX, HEX, HEX, HEX, HEX, NUMBER),
	CALL(456, "futex_requeue", BASE, ENOSYS, HEX, HEX, NUMBER, NUMBER),
	CALL(457, "statmount", FILES, ENOSYS, HEX, HEX, NUMBER, HEX),
	CALL(458, "listmount", FILES, ENOSYS, HEX, HEX, NUMBER, HEX),
	CALL(459, "lsm_get_self_attr", PRIVILEGED, ENOSYS, NUMBER, HEX, HEX, HEX),
	CALL(460, "lsm_set_self_attr", PRIVILEGED, ENOSYS, NUMBER, HEX, NUMBER, HEX),
	CALL(461, "lsm_list_modules", PRIVILEGED, ENOSYS, HEX, HEX, HEX),
	CALL(462, "mseal", BASE, ENOSYS, HEX, NUMBER, HEX),
	CALL(463, "setxattrat", PRIVILEGED, EOPNOTSUPP, DIRECTORY, PATH, HEX, PATH, HEX, NUMBER),
	CALL(464, "getxattrat", FILES, ENOSYS, DIRECTORY, PATH, HEX, PATH, HEX, NUMBER),
	CALL(465, "listxattrat", FILES, ENOSYS, DIRECTORY, PATH, HEX, HEX, NUMBER),
	CALL(466, "removexattrat", PRIVILEGED, EOPNOTSUPP, DIRECTORY, PATH, HEX, PATH),
	CALL(467, "open_tree_attr", PRIVILEGED, EPERM, DIRECTORY, PATH, HEX, HEX, NUMBER),
	CALL(468, "file_getattr", FILES, ENOSYS, DIRECTORY, PATH, HEX, NUMBER, HEX),
	CALL(469, "file_setattr", PRIVILEGED, ENOSYS, DIRECTORY, PATH, HEX, NUMBER, HEX),
};
/* clang-format on */

#define N_CALLS (sizeof calls / sizeof calls[0])

const struct call *call_by_number(uint32_t number) {
	size_t from = 0, to = N_CALLS;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (calls[middle].number == number)
			return &calls[middle];
		if (calls[middle].number < number)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

const struct call *call_by_name(const char *name) {
	for (size_t i = 0; i < N_CALLS; i++)
		if (strcmp(calls[i].name, name) == 0)
			return &calls[i];
	return NULL;
}

const struct call *call_table(size_t *ret_n) {
	*ret_n = N_CALLS;
	return calls;
}

/* A switch, so that the compiler asks for a new group's name. */
const char *call_group_name(enum call_group group) {
	switch (group) {
	case CALLS_BASE:
		return "base";
	case CALLS_FILES:
		return "files";
	case CALLS_PROCESSES:
		return "processes";
	case CALLS_THREADS:
		return "threads";
	case CALLS_SOCKETS:
		return "sockets";
	case CALLS_EVENTS:
		return "events";
	case CALLS_INOTIFY:
		return "inotify";
	case CALLS_SCHEDULING:
		return "scheduling";
	case CALLS_IPC:
		return "ipc";
	case CALLS_DEBUG:
		return "debug";
	case CALLS_JIT:
		return "jit";
	case CALLS_SANITIZER:
		return "sanitizer";
	case CALLS_PRIVILEGED:
		return "privileged";
	case CALLS_NEVER:
		return "never";
	case N_CALL_GROUPS:
		break;
	}
	return "unknown";
}

bool call_changes_metadata(int number) {
	static const char *const names[] = { "chmod",       "fchmod", "fchmodat",  "fchmodat2",
					     "chown",       "fchown", "lchown",    "fchownat",
					     "utime",       "utimes", "utimensat", "futimesat",
					     "file_setattr" };
	const struct call *call = number < 0 ? NULL : call_by_number((uint32_t)number);

	for (size_t i = 0; call && i < sizeof names / sizeof names[0]; i++)
		if (strcmp(call->name, names[i]) == 0)
			return true;
	return false;
}

/* Reports no error: the caller knows where the name comes from, and says so. */
int call_group_find(const char *name) {
	for (unsigned i = 0; i < N_CALL_GROUPS; i++)
		if (strcmp(call_group_name((enum call_group)i), name) == 0)
			return (int)i;
	return -ENOENT;
}
