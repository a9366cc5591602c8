/* SPDX-License-Identifier: MIT
 *
 * The zygote writes to no page of its image, but an atfork handler of the image may. A few such
 * pages become holes: memory that is copied at each fork like any other. If there are too many, the
 * image is frozen again, a few times; after that it is left as it is, and the log says so.
 */
#include "zygote/frozen.h"

#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "zygote/allocator.h"
#include "zygote/collapse.h"
#include "zygote/facts.h"
#include "zygote/freeze.h"
#include "zygote/trial.h"

/* From this size on, a fork gains more than the faults of its child cost: docs/performance.md. */
#define FROZEN_AUTO_BYTES ((int64_t)4 << 20)
/* Looking costs a system call for each range. */
#define FROZEN_LOOK_FORKS 256
#define FROZEN_FREEZES    4
#define FROZEN_TRIALS     5
/* A fork that takes longer than this is tried no more often than necessary. */
#define FROZEN_SLOW_NS ((uint64_t)2000000)

static uint64_t fork_time(void) {
	uint64_t once = trial_fastest(1);

	return once > FROZEN_SLOW_NS ? once : trial_fastest(FROZEN_TRIALS);
}

/* --- whether ------------------------------------------------------------------------------- */

/* Returns 0 to freeze. Otherwise `note` says why not; -EAGAIN: it is possible but does not pay. */
static int decide(struct freeze *freeze, enum freeze_wish wish, char *note, size_t size) {
	int64_t bytes;

	if (wish == FREEZE_NEVER) {
		(void)snprintf(note, size, "options.freeze is WF_FREEZE_NEVER");
		return -EAGAIN;
	}
	bytes = freeze_possible(freeze);
	if (bytes < 0) {
		(void)snprintf(note, size, "%s", freeze_text(freeze));
		return -EBUSY;
	}
	if (wish == FREEZE_AUTO && bytes < FROZEN_AUTO_BYTES) {
		(void)snprintf(note, size,
			       "only %lld KiB of private memory could be frozen, and freezing "
			       "pays from %lld KiB on",
			       (long long)(bytes >> 10), (long long)(FROZEN_AUTO_BYTES >> 10));
		return -EAGAIN;
	}
	return allocator_check(note, size);
}

static int freeze_and_settle(struct session *session, struct message_image_ready *ret) {
	struct freeze_facts facts;
	int r = freeze_run(session->freeze);

	if (r == 0)
		r = freeze_settle(session->freeze);
	facts = freeze_facts(session->freeze);
	/* If fork writes to too many of its pages, the rest is frozen all the same. */
	ret->frozen = r == 0 || r == -ENOSPC;
	session->freeze_in_vain = r == -ENOSPC;
	ret->freeze_note = freeze_text(session->freeze);
	ret->frozen_bytes = facts.bytes;
	ret->freeze_ns = facts.took_ns;
	ret->unfrozen_bytes = facts.unfrozen;
	ret->frozen_mappings = facts.mappings;
	ret->frozen_holes = facts.holes;
	return r;
}

int frozen_begin(struct session *session, enum freeze_wish wish, struct message_image_ready *ret) {
	char *note = session->load.freeze_note;
	int r;

	ret->freeze_note = note;
	ret->unfrozen_bytes = ret->anonymous_bytes;
	session->n_freezes_spare = FROZEN_FREEZES;
	session->freeze = freeze_new();
	if (!session->freeze) {
		(void)snprintf(note, LIMIT_TEXT, "no memory to freeze the image");
		return wish == FREEZE_ALWAYS ? error_origin(-EBUSY) : 0;
	}
	ret->fork_unfrozen_ns = ret->fork_ns = fork_time();
	r = decide(session->freeze, wish, note, LIMIT_TEXT);
	if (r < 0)
		return wish == FREEZE_ALWAYS ? error_origin(-EBUSY) : 0;
	r = freeze_and_settle(session, ret);
	if (r == -ENOTRECOVERABLE)
		return r;
	ret->fork_ns = fork_time();
	return r < 0 && wish == FREEZE_ALWAYS ? error_origin(-EBUSY) : 0;
}

/* The child that collapses the file counts as the zygote's own, like one that a preload left. */
void frozen_serve(struct session *session) {
	struct image *image = &session->image;
	pid_t pid;

	if (!session->freeze || freeze_file(session->freeze) < 0 ||
	    image->n_children == IMAGE_CHILDREN)
		return;
	pid = collapse_start(freeze_file(session->freeze));
	if (pid > 0)
		image->children[image->n_children++] = pid;
}

/* --- that it stays so ---------------------------------------------------------------------- */

static void freeze_again(struct session *session, uint64_t n) {
	int r;

	/* Freezing that did not help last time will not help now, and a thread could write while
	 * memory moves. */
	if (session->n_freezes_spare == 0 || session->freeze_in_vain || facts_threads_run())
		return;
	session->freeze_in_vain = true; /* until a look finds few pages */
	r = freeze_run(session->freeze);
	if (r == -ENOTRECOVERABLE)
		session_end(session, LOG_ERROR, "memory of the image was lost");
	else if (r == 0)
		session->n_left_out = 0;
	log_write(&session->log, LOG_WARNING,
		  "zygote of %s: it has written to %llu pages of its frozen image, as a "
		  "pthread_atfork() handler does; the image is frozen again%s%s%s",
		  session->image.name, (unsigned long long)n, r < 0 ? ", which failed: " : "",
		  r < 0 ? freeze_text(session->freeze) : "",
		  --session->n_freezes_spare == 0 ? "; this was the last time" : "");
}

void frozen_look(struct session *session, struct message_frozen *ret) {
	struct freeze *freeze = session->freeze;
	uint64_t n;

	session->n_forks = 0;
	*ret = (struct message_frozen){ .known = false };
	if (!freeze || freeze_file(freeze) < 0)
		return;
	n = freeze_dirtied(freeze);
	ret->known = true;
	ret->dirtied = session->n_left_out + n;
	if (n > 0) {
		int r = freeze_leave_out(freeze);

		if (r == -ENOTRECOVERABLE)
			session_end(session, LOG_ERROR, "memory of the image was lost");
		else if (r < 0)
			freeze_again(session, n);
		else
			session->n_left_out += n;
	}
	if (n == 0)
		session->freeze_in_vain = false;
	ret->freezes = freeze_facts(freeze).freezes;
}

void frozen_forked(struct session *session, unsigned n) {
	session->n_forks += n;
	if (session->n_forks < FROZEN_LOOK_FORKS)
		return;
	frozen_look(session, &session->frozen);
	/* an unsolicited Pong; if an answer is still waiting for room, the next one reports it */
	if (session->answering || !session->frozen.known)
		return;
	session->answer = (struct message){ .type = MESSAGE_PONG, .pong.frozen = session->frozen };
	session->frozen.known = false;
	session_answer(session);
}
