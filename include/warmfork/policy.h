/* SPDX-License-Identifier: MIT
 *
 * warmfork/policy.h: what sandboxed workers may do.
 *
 * A policy starts from a preset, which allows little, and says what is allowed beyond it. It is
 * given to an executor (options.policy), all of whose workers then run under it:
 *
 *     struct wf_policy *policy;
 *     wf_policy_new("stage", &policy);
 *     wf_policy_add(policy, "read", "./in");
 *     wf_policy_add(policy, "write", "./out");
 *     wf_policy_add(policy, "limits.memory", "512M");
 *
 * The same as a file, which wf_policy_load() reads; keys and values are those of wf_policy_add():
 *
 *     preset: stage
 *     read: [./in]
 *     write: [./out]
 *     limits:
 *       memory: 512M
 *
 * Presets:
 *
 *     pure     computes: memory, time and its task channel, no files, no processes. What it is refused
 *              ends the task. Environment: LANG, LC_ALL, TZ; 64 descriptors
 *     stage    a step of a pipeline: files as declared, and the system's own programs and libraries;
 *              may start programs. Environment: also PATH and TERM; 1024 descriptors
 *     tests    stage, with threads, a loopback network of its own (unix, inet, inet6), System V IPC and
 *              a /tmp of its own of 256M
 *
 * Keys. A list may have any number of values: wf_policy_add() adds one, and in a file [one, two] or
 * one alone. What is not given is as the preset has it.
 *
 *     read, write, execute    paths: a file, or a directory with all below it. `write` includes
 *                             reading, `execute` too. With the first path come the calls of the group
 *                             files, with `execute` those of the group processes
 *                             Rules add up: a narrower one takes back nothing of a wider one
 *     device                  paths of device nodes that may be opened and controlled
 *     calls                   system calls beyond the preset's: groups (files, processes, threads,
 *                             sockets, events, inotify, scheduling, ipc, jit, debug, sanitizer,
 *                             privileged), or calls by name
 *     socket                  address families: unix, inet, inet6, netlink. With the first come the
 *                             calls of the group sockets
 *     tcp_connect, tcp_bind   ports; with families inet or inet6, and with the network of the host:
 *                             `namespaces` has to leave out net. Landlock then allows these ports and
 *                             no others: with none listed, no port at all. Where a worker has a
 *                             network of its own, ports are not restricted
 *     environment             NAME (the value that the executor's process has now) or NAME=value
 *     identity                UID or UID:GID, under which workers run if root starts them. UID alone
 *                             is UID:UID; without this key it is 65534:65534
 *     limits.wall             how long a task may take: 10s, 500ms, 2m, 1h
 *     limits.cpu              CPU time of a worker's process
 *     limits.memory           bytes beyond the image: 512M, 2G; at least 1M. Where no control group can
 *                             be had, of private memory: a strict policy then refuses shared memory,
 *                             and with it results larger than a message (60 KiB)
 *     limits.processes        processes and threads of a worker, itself included
 *     limits.descriptors      open descriptors of each process; at least 16
 *     limits.file_size        bytes of each file that is written
 *     limits.output           bytes of each captured stream; more ends the task
 *     limits.scratch          bytes of a /tmp of the worker's own
 *                             Any limit may be `none`; for scratch it means: no such /tmp
 *     namespaces              of: user, mount, pid, net, ipc, uts. All, unless said otherwise
 *     layers                  which are used at all; what belongs to one that is not listed is not in
 *                             force, and the outcome does not list it. Of: descriptors, limits,
 *                             cgroup, identity, capabilities, no_new_privs, landlock, seccomp. All,
 *                             unless said otherwise. In both lists `all` and `none` are values too,
 *                             and `none` takes away what was there
 *     strict                  yes (the default): a layer that cannot be had refuses the image; no: the
 *                             outcome says what is in force
 *     report                  none, calls (those that the policy does not allow), paths (also opened
 *                             files; the default)
 *     on_refusal              continue (the call fails, and the outcome lists it; the default of stage
 *                             and tests) or end (the task; the default of pure)
 *     probe                   once (the default), worker: how often a layer is shown to be in force
 *
 * Paths become absolute at once; symbolic links in them are followed when the sandbox is built. A
 * path with ".." is accepted if all up to the last ".." exists. "~" is not expanded. A file has at
 * most 64 KiB; of YAML it may use mappings, lists and scalars, and no key twice. A policy holds at
 * most 512 paths, 256 variables, 128 calls by name, 64 ports for each list, and 32 KiB of paths and
 * variables; its preset's count.
 *
 * Threads: a policy may be used by one thread at a time. Errors are those of <warmfork/executor.h>;
 * wf_last_error() has the sentence, with file and line.
 */
#ifndef WARMFORK_POLICY_H
#define WARMFORK_POLICY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

struct wf_policy;

/* --- policies ------------------------------------------------------------------------------ */

/* A policy with what `preset` allows: "pure", "stage" or "tests". Owned by the caller, who gives it
 * back with wf_policy_free(). Does not block. Errors: -EINVAL, -ENOMEM. Since 0.1. */
int wf_policy_new(const char *preset, struct wf_policy **ret);

/* Reads the policy file at `path`. Paths in it are relative to the directory that holds it. Keys
 * may stand in any order; `preset` must be there. Blocks on the file. Errors: -EINVAL (the sentence
 * names file, line and key), -ENOENT, -EACCES, -EIO, -E2BIG, -ENOMEM. Since 0.1. */
int wf_policy_load(const char *path, struct wf_policy **ret);

/* The same from `size` bytes of text; `name` stands for the file in sentences, and paths are
 * relative to the working directory. Errors: as wf_policy_load(). Since 0.1. */
int wf_policy_parse(const char *text, size_t size, const char *name, struct wf_policy **ret);

/* Adds a value to a list, or sets a key that has one value. Both strings are borrowed during the
 * call; a relative path becomes absolute here, from the working directory. After an error the
 * policy is as it was. Errors: -EINVAL, -E2BIG, -ENOMEM. Since 0.1. */
int wf_policy_add(struct wf_policy *policy, const char *key, const char *value);

/* Adds what `other` allows, and takes its single values where it sets them: the later policy
 * decides. A preset that allows more replaces one that allows less. `other` is borrowed. After an
 * error the policy is as it was. Errors: -EINVAL, -E2BIG, -ENOMEM. Since 0.1. */
int wf_policy_compose(struct wf_policy *policy, const struct wf_policy *other);

/* The policy as a file that wf_policy_parse() reads, in `*ret`, which the caller frees with
 * free(3). Only what differs from the preset. Errors: -EINVAL (a path that is not UTF-8), -ENOMEM.
 * Since 0.1. */
int wf_policy_print(const struct wf_policy *policy, char **ret);

/* NULL is ignored. Returns NULL. An executor has its own copy. Since 0.1. */
struct wf_policy *wf_policy_free(struct wf_policy *policy);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
