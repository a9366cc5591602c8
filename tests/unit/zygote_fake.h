/* SPDX-License-Identifier: MIT
 *
 * An executor that is nothing but a peer of keeper, zygote and workers: it sends one message and
 * waits for one, and asserts that it is the one that it waited for.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/cell.h"
#include "proto/message.h"
#include "proto/wire.h"

struct fake {
	int keeper, zygote, output; /* sockets, and what the preload writes */
	pid_t keeper_pid, zygote_pid;
	int keeper_pidfd, guard, zygote_pidfd;
	int cells_fd;
	char *cells;
	uint64_t generation, next_worker;

	/* The last frame that came, and its message */
	struct wire_frame frame;
	struct message message;
	struct arena in, out;
	uint8_t *in_frame, *out_frame;
};

#define FAKE_NONCE "0123456789abcdef0123456789abcdef"

struct fake_worker {
	uint64_t id;
	uint32_t cell;
	pid_t pid;
	int pidfd, channel;
	uint64_t next_sequence;
};

/* Starts a keeper whose host is `host` (a pidfd; -1: this process). */
void fake_open(struct fake *fake, int host);
/* Quit, and waits until the keeper has gone. */
void fake_close(struct fake *fake);
/* Waits for the end of the keeper and its guard, and reaps them. */
void fake_await_keeper(struct fake *fake);

/* Starts a zygote that waits for its Hello. */
void fake_start_zygote(struct fake *fake);
void fake_greet(struct fake *fake, uint32_t min_version, uint32_t max_version, const char *nonce);
/* Starts a zygote and sends Hello and Load; does not wait for the image. */
void fake_start(struct fake *fake, const char *module, const char *argument, unsigned waive);
/* The same, and asserts that the image is ready. */
void fake_load(struct fake *fake, const char *argument);

/* Receives the next message of `fd`, which must have this type; valid until the next call. */
const struct message *fake_expect(struct fake *fake, int fd, enum message_type type);
/* Receives whatever comes next. */
const struct message *fake_next(struct fake *fake, int fd);
/* The end of the stream must come next. */
void fake_expect_end(struct fake *fake, int fd);
void fake_send(struct fake *fake, int fd, const struct message *message, const int *fds, size_t n);

/* Spawns a worker, and waits until it is ready. */
struct fake_worker fake_spawn(struct fake *fake, uint32_t max_tasks);
void fake_forget(struct fake_worker *worker);
/* Asks for a worker that cannot be forked; the answer is valid until the next message. */
const struct message_spawned_worker *fake_spawn_refused(struct fake *fake);
/* Spawns and returns what WorkerReady said. */
int fake_spawn_error(struct fake *fake);

/* The index of a function of the toy. */
uint32_t fake_function(const char *name);

struct cell *fake_cell(struct fake *fake, const struct fake_worker *worker);
/* Queues one task, with or without context and descriptors. */
void fake_submit(struct fake *fake, struct fake_worker *worker, const char *function,
		 const char *input, const struct message_context *context, const int *fds,
		 size_t n);
/* Submits and returns the result. */
const struct message_result *fake_run(struct fake *fake, struct fake_worker *worker,
				      const char *function, const char *input);
/* Submits, and waits until it says that it runs. */
void fake_run_until_started(struct fake *fake, struct fake_worker *worker, const char *function);
/* The result's bytes as a string, in a static buffer. */
const char *fake_text(const struct message_result *result);
/* A task that returns a pid. */
pid_t fake_run_pid(struct fake *fake, struct fake_worker *worker, const char *function);
