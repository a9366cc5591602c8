/* SPDX-License-Identifier: MIT
 *
 * warmfork/policy.h: what sandboxed workers may do.
 *
 * A policy starts from a preset, which allows little, and adds what else is allowed. You pass it to
 * an executor (options.policy), and all of its workers run under it:
 *
 *     struct wf_policy *policy;
 *     wf_policy_new("stage", &policy);
 *     wf_policy_add(policy, "read", "./in");
 *     wf_policy_add(policy, "write", "./out");
 *     wf_policy_add(policy, "limits.memory", "512M");
 *
 * The same policy as a file, for wf_policy_load(), has the keys and values of wf_policy_add():
 *
 *     preset: stage
 *     read: [./in]
 *     write: [./out]
 *     limits:
 *       memory: 512M
 *
 * Presets:
 *
 *     pure     computes: memory, time and its task channel; no files, no processes. A refused call
 *              ends the task. Environment: LANG, LC_ALL, TZ; 64 descriptors
 *     stage    a step of a pipeline: the declared files, and the system's own programs and
 *              libraries; may start programs. Environment: also PATH and TERM; 512 descriptors
 *     tests    stage, with threads, a loopback network of its own (unix, inet, inet6), System V IPC
 *              and a 256M /tmp of its own
 *
 * Keys. A list may have any number of values: wf_policy_add() adds one; a file has [one, two], or a
 * single value without brackets. Keys that are not given stay as the preset has them.
 *
 *     read, write, execute    paths: a file, or a directory and everything below it. `write` and
 *                             `execute` include reading. The first path also allows the calls of
 *                             the group files, the first of `execute` those of processes. Rules add
 *                             up: a narrower one takes nothing back from a wider one
 *     device                  paths of device nodes that may be opened and controlled
 *     calls                   system calls beyond the preset's: groups (files, processes, threads,
 *                             sockets, events, inotify, scheduling, ipc, jit, debug, sanitizer,
 *                             privileged), or calls by name
 *     socket                  address families: unix, inet, inet6, netlink. The first one also
 *                             allows the calls of the group sockets
 *     tcp_connect, tcp_bind   ports; for the families inet and inet6, and with the network of the
 *                             host: `namespaces` must leave out net. Landlock then allows these
 *                             ports and no others; if none is listed, no port at all. Ports are not
 *                             restricted where a worker has a network of its own
 *     environment             NAME (with its current value in the executor's process) or
 *                             NAME=value. The image is loaded with these variables, too
 *     identity                UID or UID:GID that workers run under when root starts them. UID
 *                             alone is UID:UID; the default is 65534:65534
 *     limits.wall             how long a task may take: 10s, 500ms, 2m, 1h
 *     limits.cpu              CPU time of a worker's process
 *     limits.memory           bytes beyond the image: 512M, 2G; at least 1M. Without control groups
 *                             it limits private memory only: a strict policy then refuses shared
 *                             memory, and with it results larger than a message (60 KiB)
 *     limits.processes        processes and threads of a worker, including itself
 *     limits.descriptors      open descriptors of each process; at least 16
 *     limits.file_size        size in bytes of each file that is written
 *     limits.output           bytes of each captured stream; a task that writes more is ended
 *     limits.scratch          size in bytes of the worker's own /tmp. Any limit may be `none`; for
 *                             scratch it means: no such /tmp
 *     namespaces              of user, mount, pid, net, ipc and uts; all by default
 *     layers                  the layers that may be used at all, of descriptors, limits, cgroup,
 *                             identity, capabilities, no_new_privs, landlock and seccomp; all by
 *                             default. Whatever needs a layer that is not listed is not in force,
 *                             and the outcome does not list that layer. Both lists also take `all`
 *                             and `none`; `none` removes the values before it
 *     strict                  yes (the default): a layer that is unavailable refuses the image; no:
 *                             the outcome says what is in force
 *     report                  none; calls (those that the policy does not allow); paths (opened
 *                             files too; the default)
 *     on_refusal              continue (the call fails and the outcome lists it; the default of
 *                             stage and tests) or end (the task; the default of pure)
 *     probe                   how often each layer is shown to be in force: once (the default) or
 *                             worker
 *
 * Paths are made absolute at once; symbolic links in them are followed when the sandbox is built. A
 * path with ".." is accepted if everything up to the last ".." exists. "~" is not expanded. A file
 * has at most 64 KiB; of YAML it may use mappings, lists and scalars, and no key twice. A policy
 * holds at most 512 paths, 256 variables, 128 calls by name, 64 ports in each list, and 32 KiB of
 * paths and variables; those of its preset count too.
 *
 * Threads: only one thread at a time may use a policy. Errors are those of <warmfork/executor.h>;
 * the sentence of wf_last_error() names file and line.
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

/* Creates a policy with what `preset` allows: "pure", "stage" or "tests". On success `*ret` is
 * yours; release it with wf_policy_free(). Does not block. Errors: -EINVAL, -ENOMEM. Since 0.1. */
int wf_policy_new(const char *preset, struct wf_policy **ret);

/* Reads the policy file at `path`. Relative paths in it start from its directory. Keys may come in
 * any order; `preset` is required. On success `*ret` is yours; release it with wf_policy_free().
 * Blocks while it reads the file. Errors: -EINVAL (the sentence names file, line and key), -ENOENT,
 * -EACCES, -EIO, -E2BIG, -ENOMEM. Since 0.1. */
int wf_policy_load(const char *path, struct wf_policy **ret);

/* Reads a policy like wf_policy_load(), but from `size` bytes of text; `name` stands for the file
 * in error sentences, and relative paths start from the working directory. Errors: as
 * wf_policy_load(). Since 0.1. */
int wf_policy_parse(const char *text, size_t size, const char *name, struct wf_policy **ret);

/* Adds a value to a list, or sets a key that has one value. Both strings are borrowed during the
 * call; a relative path is made absolute at once, from the working directory. After an error the
 * policy is unchanged. Errors: -EINVAL, -E2BIG, -ENOMEM. Since 0.1. */
int wf_policy_add(struct wf_policy *policy, const char *key, const char *value);

/* Adds what `other` allows, and takes over the single values that it sets: the later policy
 * decides. A preset that allows more replaces one that allows less. `other` is borrowed during the
 * call. After an error the policy is unchanged. Errors: -EINVAL, -E2BIG, -ENOMEM. Since 0.1. */
int wf_policy_compose(struct wf_policy *policy, const struct wf_policy *other);

/* Prints the policy as a file that wf_policy_parse() can read, with only what differs from the
 * preset. You free `*ret` with free(3). Errors: -EINVAL (a path that is not UTF-8), -ENOMEM.
 * Since 0.1. */
int wf_policy_print(const struct wf_policy *policy, char **ret);

/* Releases the policy; an executor has its own copy. Ignores NULL. Returns NULL. Since 0.1. */
struct wf_policy *wf_policy_free(struct wf_policy *policy);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
