/* SPDX-License-Identifier: MIT
 *
 * The toy: a task module that does everything a task should not.
 *
 * Each of its functions but the binary ones (echo, upper, sum, big) is a step: its input is a text.
 * "script" runs several of them, "step argument; step argument", until one fails. Where a task has
 * descriptors, it reports lines on the first and waits for a byte on the second: events order what
 * the tests do.
 *
 *     echo TEXT           answers TEXT                 pid, slot, number    answer them
 *     upper, sum          of the input's bytes         big N                N bytes of toy_byte()
 *     fail CODE MESSAGE   a failing return             exit CODE            ends by exit(3)
 *     crash SIGNAL        a real fault, abort or kill  stop                 stops itself
 *     started             reports "started"            wait                 until it is released
 *     deaf                ignores SIGTERM              hang                 until it is killed
 *     burn N              N microseconds of CPU time
 *     out TEXT, err TEXT  one write(2)                 print TEXT           by stdio, not flushed
 *     spam STREAM N       N bytes of toy_letter()      cat                  answers its stdin
 *     lock_pipe           a child holds the kernel's lock of the pipe that standard output is
 *     fill_and_lock       writes TOY_FILLS bytes to it, then holds it by itself
 *     pulse_pipe N        holds it N times, for 50 ms each
 *     close_channel       closes every descriptor but its stdio
 *     flood_channel KIND  "garbage" or "empty" frames into every socket
 *     linger_channel PORT frames with a socket that lingers, because nobody reads on that port; hangs
 *     shutdown_channel    shuts down every socket   replace_channel  /dev/null in its place
 *     truncate_cells      tries to make that memory shorter: "refused", "not found", "truncated"
 *     grow_cell           tries to map the cells behind its own: "refused", "grown"
 *     unclaim             sets the claim word of the running task back, as if it had not started
 *     background          leaves a child               daemon               leaves a daemon
 *     hold_pipes          leaves a child of a child that holds stdout and stderr
 *     stray               leaves a daemon to the zygote, as a worker that is no subreaper
 *     dirty WHAT          see toy_residue.c            look                 answers what it finds
 *
 * background, daemon, stray and hold_pipes report their name and the pid that they leave, and
 * answer it.
 *
 * The preload argument is a text of the same form:
 *
 *     fail CODE, exit CODE, crash SIGNAL, output TEXT, thread, descriptor
 *     hang PATH                 blocks all signals, writes its pid to PATH (a fifo) and hangs
 *     hang_while PATH           the same while there is such a fifo
 *     count PATH                each run of the initializer adds a byte to PATH
 *     initialize_fail N         ... and the first N of them fail with 5
 *     initialize_fail_while PATH, initialize_crash_while PATH    while there is such a file
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>
#include <warmfork/task.h>

static inline unsigned char toy_byte(size_t i) {
	return (unsigned char)(i ^ (i >> 8) ^ (i >> 16) ^ (i >> 24));
}

#define TOY_FILLS 61440 /* nearly all that a pipe takes */

static inline char toy_letter(size_t i) {
	return (char)('a' + i % 26);
}

/* --- inside the module --- */

typedef int (*toy_step)(struct wf_call *call, const char *argument);

struct toy_entry {
	const char *name;
	toy_step step;
};

/* Tables that end with a NULL name. */
extern const struct toy_entry toy_ends[], toy_output[], toy_trees[], toy_residue[];

/* The result, printf style. */
int toy_answer(struct wf_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line on descriptor 0, if the task has one. */
void toy_report(const struct wf_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Blocks for ever; nothing but a signal ends it. */
_Noreturn void toy_hang(void);
