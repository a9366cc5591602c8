/* SPDX-License-Identifier: MIT
 *
 * Everything waits by poll(2) with a cap, so that a bug of the other side is a failing assertion
 * here and not a hanging test.
 */
#include "tests/unit/zygote_fake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/process.h"
#include "executor/spawn.h"
#include "tests/support/fixture.h"
#include "zygote/birth.h"

static const char *const functions[] = {
	"echo",
	"crash",
	"abort",
	"exit",
	"fail",
	"sleep",
	"daemon",
	"daemon then sleep",
	"large",
	"large, shared",
	"mess",
	"state",
	"thread",
	"facts",
	"print",
	"read descriptor",
	"return in child",
	"leak",
	"disown",
	"privileges",
	"forget stdin",
	"close stdio",
	"other user",
	"trace me",
	"end traced",
	"shut channel",
	"replace channel",
	/* of no table */
	"missing",
};

uint32_t fake_function(const char *name) {
	for (uint32_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
		if (strcmp(functions[i], name) == 0)
			return i;
	ck_abort_msg("no function %s", name);
	return 0;
}

/* --- messages ------------------------------------------------------------------------------ */

void fake_send(struct fake *fake, int fd, const struct message *message, const int *fds, size_t n) {
	ck_assert_int_eq(message_send(fd, message, &fake->out, fake->out_frame, fds, n, 0), 0);
}

static int receive(struct fake *fake, int fd) {
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	wire_frame_close(&fake->frame);
	if (poll(&poll_fd, 1, FIXTURE_CAP_MS) != 1)
		return -ETIMEDOUT;
	return wire_receive(fd, fake->in_frame, 0, &fake->frame);
}

const struct message *fake_expect(struct fake *fake, int fd, enum message_type type) {
	const struct message *message = fake_next(fake, fd);

	ck_assert_str_eq(message_name((uint16_t)message->type), message_name((uint16_t)type));
	return message;
}

const struct message *fake_next(struct fake *fake, int fd) {
	int r = receive(fake, fd);

	ck_assert_msg(r == 0, "waiting for a message: %d", r);
	arena_reset(&fake->in);
	ck_assert_int_eq(message_unpack(fake->frame.type, fake->frame.body, fake->frame.size,
					&fake->in, &fake->message),
			 0);
	return &fake->message;
}

void fake_expect_end(struct fake *fake, int fd) {
	ck_assert_int_eq(receive(fake, fd), WIRE_E_EOF);
}

static int take_descriptor(struct fake *fake) {
	ck_assert_uint_eq(fake->frame.n_descriptors, 1);
	fake->frame.n_descriptors = 0;
	return fake->frame.descriptors[0];
}

/* --- keeper -------------------------------------------------------------------------------- */

static int start_guard(int control, int host) {
	static char name[] = "warmfork-zygote", role[] = "keeper", padding[] = TITLE_PADDING;
	char *arguments[] = { name, role, padding, NULL };
	const struct spawn spawn = { HELPER, arguments, NULL, control, host, true };
	int guard = -1;

	ck_assert_int_eq(spawn_detached(&spawn, &guard), 0);
	return guard;
}

void fake_open(struct fake *fake, int host) {
	int pair[2], self = host < 0 ? process_open(getpid()) : fd_duplicate(host);
	const struct message *message;

	memset(fake, 0, sizeof *fake);
	fake->zygote = fake->output = fake->zygote_pidfd = -1;
	fake->in_frame = malloc(LIMIT_FRAME);
	fake->out_frame = malloc(LIMIT_FRAME);
	arena_init(&fake->in, malloc(ARENA_MESSAGE), ARENA_MESSAGE);
	arena_init(&fake->out, malloc(ARENA_MESSAGE), ARENA_MESSAGE);
	fake->cells_fd = fd_memfd("cells", LIMIT_WORKERS * CELL_SIZE);
	ck_assert_int_eq(fd_seal(fake->cells_fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
	fake->cells = mmap(NULL, LIMIT_WORKERS * CELL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			   fake->cells_fd, 0);
	ck_assert_int_eq(fd_seqpacket_pair(pair), 0);
	fake->guard = start_guard(pair[1], self);
	fd_close(pair[1]);
	fd_close(self);
	fake->keeper = pair[0];
	message = fake_expect(fake, fake->keeper, MESSAGE_KEEPER_READY);
	fake->keeper_pid = message->keeper_ready.pid;
	fake->keeper_pidfd = take_descriptor(fake);
}

void fake_await_keeper(struct fake *fake) {
	ck_assert_int_eq(process_await_end(fake->keeper_pidfd, FIXTURE_CAP_MS), 0);
	ck_assert_int_eq(process_await_end(fake->guard, FIXTURE_CAP_MS), 0);
	fixture_reap_adopted();
}

void fake_close(struct fake *fake) {
	const struct message quit = { .type = MESSAGE_QUIT };

	if (!process_has_ended(fake->keeper_pidfd))
		fake_send(fake, fake->keeper, &quit, NULL, 0);
	fake_await_keeper(fake);
	wire_frame_close(&fake->frame);
	fd_close(fake->keeper);
	fd_close(fake->keeper_pidfd);
	fd_close(fake->guard);
	fd_close(fake->zygote);
	fd_close(fake->zygote_pidfd);
	fd_close(fake->output);
	fd_close(fake->cells_fd);
	(void)munmap(fake->cells, LIMIT_WORKERS * CELL_SIZE);
	free(fake->in.memory);
	free(fake->out.memory);
	free(fake->in_frame);
	free(fake->out_frame);
}

/* --- zygote -------------------------------------------------------------------------------- */

void fake_start_zygote(struct fake *fake) {
	const struct message start = {
		.type = MESSAGE_START_ZYGOTE,
		.start_zygote = { ++fake->generation, IMAGE_MODULE, FAKE_NONCE, "", 0 },
	};
	const struct message *message;
	int pair[2], pipes[2], fds[2];

	ck_assert_int_eq(fd_seqpacket_pair(pair), 0);
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	fds[0] = pair[1];
	fds[1] = pipes[1];
	fake_send(fake, fake->keeper, &start, fds, 2);
	fd_close_all(fds, 2);
	fd_close(fake->zygote);
	fd_close(fake->output);
	fd_close(fake->zygote_pidfd);
	fake->zygote = pair[0];
	fake->output = pipes[0];
	message = fake_expect(fake, fake->keeper, MESSAGE_ZYGOTE_STARTED);
	ck_assert_int_eq(message->zygote_started.error, 0);
	ck_assert_uint_eq(message->zygote_started.generation, fake->generation);
	fake->zygote_pid = message->zygote_started.pid;
	fake->zygote_pidfd = take_descriptor(fake);
}

void fake_greet(struct fake *fake, uint32_t min_version, uint32_t max_version, const char *nonce) {
	const struct message hello = { .type = MESSAGE_HELLO,
				       .hello = { min_version, max_version, nonce } };

	fake_send(fake, fake->zygote, &hello, NULL, 0);
}

void fake_start(struct fake *fake, const char *module, const char *argument, unsigned waive) {
	const struct message load = {
		.type = MESSAGE_LOAD,
		.load = {
			.generation = fake->generation + 1,
			.module = module,
			.name = "toy",
			.preload_argument = { (const uint8_t *)argument, strlen(argument) },
			.audit_waive = waive,
		},
	};

	fake_start_zygote(fake);
	fake_greet(fake, 1, 1, FAKE_NONCE);
	fake_send(fake, fake->zygote, &load, &fake->cells_fd, 1);
	(void)fake_expect(fake, fake->zygote, MESSAGE_WELCOME);
}

void fake_load(struct fake *fake, const char *argument) {
	fake_start(fake, TOY, argument, 0);
	(void)fake_expect(fake, fake->zygote, MESSAGE_IMAGE_READY);
}

/* --- workers ------------------------------------------------------------------------------- */

static const struct message_spawned_worker *spawn_ask(struct fake *fake, uint32_t max_tasks,
						      struct fake_worker *ret) {
	struct fake_worker worker = { .id = ++fake->next_worker, .pidfd = -1 };
	struct message_spawn_worker entry = { .worker_id = worker.id, .max_tasks = max_tasks };
	const struct message spawn = { .type = MESSAGE_SPAWN, .spawn = { 1, &entry, 1 } };
	int pair[2];

	worker.cell = entry.cell = entry.slot = (uint32_t)worker.id;
	ck_assert_int_eq(fd_seqpacket_pair(pair), 0);
	fake_send(fake, fake->zygote, &spawn, &pair[1], 1);
	fd_close(pair[1]);
	worker.channel = pair[0];
	*ret = worker;
	return &fake_expect(fake, fake->zygote, MESSAGE_SPAWNED)->spawned.workers[0];
}

static struct fake_worker spawn_one(struct fake *fake, uint32_t max_tasks) {
	struct fake_worker worker;
	const struct message_spawned_worker *spawned = spawn_ask(fake, max_tasks, &worker);

	ck_assert_int_eq(spawned->error, 0);
	worker.pid = spawned->pid;
	worker.pidfd = take_descriptor(fake);
	return worker;
}

const struct message_spawned_worker *fake_spawn_refused(struct fake *fake) {
	struct fake_worker worker;
	const struct message_spawned_worker *spawned = spawn_ask(fake, 0, &worker);

	fake_forget(&worker);
	return spawned;
}

struct fake_worker fake_spawn(struct fake *fake, uint32_t max_tasks) {
	struct fake_worker worker = spawn_one(fake, max_tasks);
	const struct message *message = fake_expect(fake, worker.channel, MESSAGE_WORKER_READY);

	ck_assert_str_eq(message->worker_ready.text, "");
	ck_assert_int_eq(message->worker_ready.error, 0);
	ck_assert_uint_eq(message->worker_ready.worker_id, worker.id);
	return worker;
}

int fake_spawn_error(struct fake *fake) {
	struct fake_worker worker = spawn_one(fake, 0);
	int error = fake_expect(fake, worker.channel, MESSAGE_WORKER_READY)->worker_ready.error;

	fake_forget(&worker);
	return error;
}

void fake_forget(struct fake_worker *worker) {
	fd_close(worker->channel);
	fd_close(worker->pidfd);
}

struct cell *fake_cell(struct fake *fake, const struct fake_worker *worker) {
	return (void *)(fake->cells + worker->cell * CELL_SIZE);
}

void fake_submit(struct fake *fake, struct fake_worker *worker, const char *function,
		 const char *input, const struct message_context *context, const int *fds,
		 size_t n) {
	const struct message_task task = {
		.sequence = worker->next_sequence++,
		.task_id = 1000 + worker->next_sequence,
		.function = fake_function(function),
		.payload = { (const uint8_t *)input, strlen(input) },
		.payload_size = strlen(input),
		.context = context,
	};
	const struct message tasks = { .type = MESSAGE_TASKS, .tasks = { &task, 1 } };

	atomic_store(&cell_claim(fake_cell(fake, worker), task.sequence)->word,
		     claim_word(task.sequence, CLAIM_QUEUED));
	fake_send(fake, worker->channel, &tasks, fds, n);
}

const struct message_result *fake_run(struct fake *fake, struct fake_worker *worker,
				      const char *function, const char *input) {
	fake_submit(fake, worker, function, input, NULL, NULL, 0);
	return &fake_expect(fake, worker->channel, MESSAGE_RESULT)->result;
}

void fake_run_until_started(struct fake *fake, struct fake_worker *worker, const char *function) {
	const struct message_context context = { .directory = "", .n_descriptors = 1 };
	struct pollfd poll_fd = { .events = POLLIN };
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	fake_submit(fake, worker, function, "", &context, &ends[1], 1);
	poll_fd.fd = ends[0];
	ck_assert_int_eq(poll(&poll_fd, 1, FIXTURE_CAP_MS), 1);
	fd_close_all(ends, 2);
}

const char *fake_text(const struct message_result *result) {
	static char text[LIMIT_INLINE_PAYLOAD + 1];

	memcpy(text, result->payload.data, result->payload.size);
	text[result->payload.size] = '\0';
	return text;
}

pid_t fake_run_pid(struct fake *fake, struct fake_worker *worker, const char *function) {
	const struct message_result *result = fake_run(fake, worker, function, "");
	pid_t pid;

	ck_assert_int_eq(result->kind, RESULT_RETURNED);
	ck_assert_uint_eq(result->payload.size, sizeof pid);
	memcpy(&pid, result->payload.data, sizeof pid);
	return pid;
}
