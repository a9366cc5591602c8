/* SPDX-License-Identifier: MIT
 *
 * The sandboxed toy: a module whose tasks try what a policy is to allow or to refuse, and tell what
 * the kernel answered. They never judge: what became of it outside is for the test to look at.
 *
 * "try" takes "step argument; step argument", runs all of them, and answers what each said, with
 * ";" between: "ok", a value, or the name of an errno. "big N" answers N bytes of toy_letter().
 *
 *     read PATH            its first line          write PATH TEXT      anew
 *     list PATH            how many entries        look PATH            stat(2)
 *     make PATH            mkdir(2)                remove PATH          unlink(2)
 *     move PATH PATH       rename(2)               cut PATH             truncate(2) to nothing
 *     mode OCTAL PATH      chmod(2)                fill PATH N          how many bytes went in
 *     directory PATH       chdir(2) and getcwd(3)  run PATH [ARGUMENT]  "exit N"
 *     again PATH           opens it for ever       many PREFIX N        makes PREFIX0, PREFIX1, ...
 *
 *     fork                 "exit 7"                thread               starts and joins one
 *     pid, ppid            numbers                 processes            how many it sees in /proc
 *     crowd N              how many of N children it could have at the same time
 *     swarm N PATH         N children open it
 *     daemon               leaves one, which has lost its parent and its session
 *     deep N STEPS         such steps, with "|" between, in the N-th descendant
 *     left STEPS           the same in a daemon
 *     raise N              a signal to itself      signal PID N         kill(2)
 *     spin MS              CPU time                hang                 until it is killed
 *
 *     socket FAMILY        by number               connect PORT         to 127.0.0.1
 *     loopback             a byte to itself over TCP
 *     knock PATH           connect(2) to a local socket there
 *     writable_code        memory to write and execute, at once
 *     written_code         ... one after the other
 *     allocate MIB         touches all of it       descriptors N        how many it could have
 *     allocate_in_child MIB   the same in a child: "killed", if it was
 *     output STREAM N      bytes written to 1 or 2
 *
 *     capabilities         all sets, as one number identity             uid:gid:number of groups
 *     privileges           no_new_privs            limit N              the soft one of getrlimit(2)
 *     raise_limit N        the hard one, by 1      environment          NAME=value,NAME=value
 *     memory MASKED        how often it holds that (search.h)
 *     call N ARGUMENTS     any system call: "ok"   call_i386, call_x32  getpid(2) of another ABI
 *
 *     report               "at PID", a line on the task's first descriptor
 *     wait                 for a byte on its second
 *
 * The preload argument is such a text for the initializer of each worker, which does not look at
 * the answers.
 */
#pragma once

#include <stddef.h>

static inline char toy_letter(size_t i) {
	return (char)('a' + i % 26);
}
