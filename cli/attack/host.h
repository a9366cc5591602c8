/* SPDX-License-Identifier: MIT
 *
 * What oracles ask with: about files, processes, and what an attacker has brought back.
 */
#pragma once

#include "cli/attack/attack.h"

/* 16 random hexadecimal digits. */
void attack_make_token(char token[ATTACK_TOKEN]);

/* Judges that need no more than this. */
enum attack_verdict attack_verdict(bool through);
/* The token outside/secret came back. */
enum attack_verdict attack_judge_secret(struct attack_ground *ground,
					const struct attack_bout *bout);
/* The host saw it, or the attacker believes it. What the host is not allowed to see (a worker
 * under a policy may hide from those of the same user) is judged by what the attacker believes;
 * in the control the host must have seen it. */
enum attack_verdict attack_judge_seen(struct attack_ground *ground, const struct attack_bout *bout);
/* The attacker did something that it could not have done, and says so: for deeds without a
 * trace. */
enum attack_verdict attack_judge_belief(struct attack_ground *ground,
					const struct attack_bout *bout);

/* A sanitizer needs system calls that the filter allows it then, and puts the heap where it likes: for rows
 * that are about these. NULL: this is no such build. */
const char *attack_sanitized(void);
/* NULL, or: siblings of one pool can signal each other before Linux 6.12. */
const char *attack_no_signal_scope(void);
/* NULL, or: every memfd can be executed before Linux 6.3. */
const char *attack_no_sealed_memfd(void);

bool attack_has(const struct attack_bout *bout, const char *token);

/* --- files --------------------------------------------------------------------------------- */

/* The first bytes of a file below the root, as a string; "" if there is none. */
void attack_peek(const struct attack_ground *ground, const char *path, char *ret, size_t size);
bool attack_is(const struct attack_ground *ground, const char *path, const char *content);
/* Makes or overwrites one, never through a link. */
bool attack_put(const struct attack_ground *ground, const char *path, const char *content,
		mode_t mode);

/* --- processes ----------------------------------------------------------------------------- */

/* Of /proc/PID/FILE; "" if it cannot be read. */
void attack_proc(pid_t pid, const char *file, char *ret, size_t size);
/* The line of /proc/PID/status that starts with `key`, after it; "" if there is none. */
void attack_status(pid_t pid, const char *key, char *ret, size_t size);
/* Bytes: "VmRSS:" and the like; 0: unknown. */
uint64_t attack_status_bytes(pid_t pid, const char *key);
/* The soft limit, by its name in /proc/PID/limits; UINT64_MAX: none, or unknown. */
uint64_t attack_soft_limit(pid_t pid, const char *name);
/* How many descriptors lead to something of that name; -1: we may not look. */
int attack_count_descriptors(pid_t pid, const char *name);

/* --- the stand-in -------------------------------------------------------------------------- */

bool attack_stand_in_start(struct attack_stand_in *stand_in);
/* One that has a deadly signal pending does not. */
bool attack_stand_in_answers(const struct attack_stand_in *stand_in);
/* What it does, with stdin. */
void attack_be_stand_in(void);
void attack_stand_in_stop(struct attack_stand_in *stand_in);
