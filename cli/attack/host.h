/* SPDX-License-Identifier: MIT
 *
 * Functions for oracles: about files, processes, and what an attacker has brought back.
 */
#pragma once

#include "cli/attack/attack.h"

/* Makes 16 random hexadecimal digits. */
void attack_make_token(char token[ATTACK_TOKEN]);

/* Judges that need nothing else. */
enum attack_verdict attack_verdict(bool through);
/* Judges whether the token outside/secret came back. */
enum attack_verdict attack_judge_secret(struct attack_ground *ground,
					const struct attack_bout *bout);
/* Got through if the host saw it or the attacker believes it. What the host may not look at (a
 * worker under a policy may hide from processes of the same user) is judged by what the attacker
 * believes; in the control the host must have seen it. */
enum attack_verdict attack_judge_seen(struct attack_ground *ground, const struct attack_bout *bout);
/* For deeds without a trace: the attacker reports something that it should not have been able
 * to do. */
enum attack_verdict attack_judge_belief(struct attack_ground *ground,
					const struct attack_bout *bout);

/* For rows about system calls or the heap: a sanitizer needs calls that the filter then allows, and
 * places the heap as it likes. NULL if this build has none. */
const char *attack_sanitized(void);
/* Before Linux 6.12, siblings of one pool can signal each other. NULL otherwise. */
const char *attack_no_signal_scope(void);
/* Before Linux 6.3, every memfd can be executed. NULL otherwise. */
const char *attack_no_sealed_memfd(void);
/* With Yama, a process may trace only its own descendants, so it cannot be shown that the sandbox
 * stops the rest, nor looked into a worker. NULL otherwise. */
const char *attack_no_trace(void);

bool attack_has(const struct attack_bout *bout, const char *token);

/* --- files --------------------------------------------------------------------------------- */

/* Reads the first bytes of a file below the root, as a string; "" if there is none. */
void attack_peek(const struct attack_ground *ground, const char *path, char *ret, size_t size);
bool attack_is(const struct attack_ground *ground, const char *path, const char *content);
/* Makes or overwrites a file, never through a link. */
bool attack_put(const struct attack_ground *ground, const char *path, const char *content,
		mode_t mode);

/* --- processes ----------------------------------------------------------------------------- */

/* Reads /proc/PID/FILE; "" if it cannot be read. */
void attack_proc(pid_t pid, const char *file, char *ret, size_t size);
/* Reads the line of /proc/PID/status that starts with `key`, without the key; "" if there
 * is none. */
void attack_status(pid_t pid, const char *key, char *ret, size_t size);
/* The same of a thread. */
void attack_thread_status(pid_t pid, const char *thread, const char *key, char *ret, size_t size);
/* Bytes of "VmRSS:" and the like; 0 if unknown. */
uint64_t attack_status_bytes(pid_t pid, const char *key);
/* The soft limit, by its name in /proc/PID/limits; UINT64_MAX if there is none or it is unknown. */
uint64_t attack_soft_limit(pid_t pid, const char *name);
/* The number of descriptors that refer to something of that name; -1 if we may not look. */
int attack_count_descriptors(pid_t pid, const char *name);

/* --- a terminal ---------------------------------------------------------------------------- */

/* For rows that type for the user: the task gets one as its second descriptor. Seen if the nonce
 * can be read from it. */
bool attack_terminal_open(struct attack_ground *ground);
void attack_terminal_read(struct attack_ground *ground, struct attack_bout *bout);
/* NULL if a process may type into a terminal on this machine. */
const char *attack_no_terminal(void);

/* --- the stand-in -------------------------------------------------------------------------- */

bool attack_stand_in_start(struct attack_stand_in *stand_in);
/* False if a deadly signal is pending for it. */
bool attack_stand_in_answers(const struct attack_stand_in *stand_in);
/* Runs as the stand-in, which talks over stdin. */
void attack_be_stand_in(void);
void attack_stand_in_stop(struct attack_stand_in *stand_in);
