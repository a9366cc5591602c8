/* SPDX-License-Identifier: MIT
 *
 * epoll's data holds a token, not a pointer to the source. loop_wait() fetches events without the
 * owner's lock, so another thread may remove a source and free it before loop_dispatch() runs, and
 * a pointer in the batch would then dangle. A token is an index into the loop's table and the
 * number of times that place has been given away; loop_dispatch() looks it up under the lock, just
 * before it calls the handler, and finds nothing if the source has gone. The same lookup drops the
 * rest of a batch for sources that a handler removes.
 *
 * Timers are a binary heap of pointers. One timerfd stands for the earliest, and is set again only
 * when the earliest changes, so that a timer that is armed and cleared with each task costs no
 * system call.
 */
#include "base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/uninitialized.h"

#define TOKEN_TIMER UINT64_MAX
#define PLACE_NONE  UINT32_MAX
#define TABLE_MIN   ((size_t)16)

struct place {
	struct source *source; /* NULL: free */
	uint32_t given;        /* how often; wraps after 2^32, long after any batch is gone */
	uint32_t next_free;
};

struct loop {
	int epoll, timerfd;
	struct place *places;
	size_t n_places;
	uint32_t first_free;
	size_t n_sources;
	struct timer **heap;
	size_t n_timers, heap_room;
	size_t n_reserved; /* the heap never shrinks below this */
	nsec_t armed;      /* what the timerfd is set to; NSEC_NEVER: off */
	uint64_t *numbers; /* a bit for each descriptor that we wait for */
	size_t n_numbers;  /* 64 bits each */
	bool robbed;       /* a number was given out again while we waited for it */
};

/* --- numbers ---
 *
 * To epoll a source is a file and a number. If the process closes a descriptor of ours, and the
 * next that we open gets its number, the older of the two sources would be taken for the
 * younger. */

static int numbers_reserve(struct loop *loop, int fd) {
	size_t n = (size_t)fd / 64 + 1;
	uint64_t *numbers;

	if (loop->numbers && n <= loop->n_numbers)
		return 0;
	n *= 2;
	numbers = reallocarray(loop->numbers, n, sizeof numbers[0]);
	if (!numbers)
		return error_origin(-ENOMEM);
	memset(numbers + loop->n_numbers, 0, (n - loop->n_numbers) * sizeof numbers[0]);
	loop->numbers = numbers;
	loop->n_numbers = n;
	return 0;
}

static void number_take(struct loop *loop, int fd) {
	uint64_t bit = UINT64_C(1) << fd % 64;

	loop->robbed = loop->robbed || loop->numbers[fd / 64] & bit;
	loop->numbers[fd / 64] |= bit;
}

static void number_give_back(struct loop *loop, int fd) {
	loop->numbers[fd / 64] &= ~(UINT64_C(1) << fd % 64);
}

/* Fails if the number is not that of the same file any more. */
static bool is_waited_for(const struct loop *loop, int fd, uint32_t events, uint64_t token) {
	struct epoll_event event = { .events = events, .data.u64 = token };

	return !loop->robbed && epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event) == 0;
}

/* --- the loop --- */

static int loop_open(struct loop *loop) {
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = TOKEN_TIMER };
	int r;

	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		return error_origin(-errno);
	loop->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (loop->timerfd < 0)
		return error_origin(-errno);
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->timerfd, &event))
		return error_origin(-errno);
	r = numbers_reserve(loop, loop->timerfd);
	if (r == 0)
		number_take(loop, loop->timerfd);
	return error_trace(r);
}

int loop_new(struct loop **ret) {
	struct loop *loop = calloc(1, sizeof *loop);
	int r;

	if (!loop)
		return error_origin(-ENOMEM);
	loop->epoll = loop->timerfd = -1;
	loop->first_free = PLACE_NONE;
	loop->armed = NSEC_NEVER;
	r = loop_open(loop);
	if (r) {
		loop_free(loop);
		return error_trace(r);
	}
	*ret = loop;
	return 0;
}

struct loop *loop_free(struct loop *loop) {
	if (!loop)
		return NULL;
	must(!loop->n_sources && !loop->n_timers);
	fd_close(loop->timerfd);
	fd_close(loop->epoll);
	free(loop->places);
	free(loop->heap);
	free(loop->numbers);
	free(loop);
	return NULL;
}

int loop_fd(const struct loop *loop) {
	return loop->epoll;
}

/* Only succeeds on an epoll instance that has the timerfd. */
bool loop_is_intact(const struct loop *loop) {
	return is_waited_for(loop, loop->timerfd, EPOLLIN, TOKEN_TIMER);
}

void loop_abandon(struct loop *loop) {
	for (size_t i = 0; i < loop->n_places; i++)
		if (loop->places[i].source)
			loop->places[i].source->loop = NULL;
	for (size_t i = 0; i < loop->n_timers; i++)
		loop->heap[i]->loop = NULL;
	for (size_t i = 0; i < loop->n_places; i++)
		loop->places[i].source = NULL;
	loop->n_sources = loop->n_timers = 0;
	loop->epoll = loop->timerfd = -1;
}

int loop_wait(int fd, int timeout_ms, struct loop_batch *ret) {
	struct epoll_event events[LOOP_BATCH] uninitialized;
	int n = epoll_wait(fd, events, LOOP_BATCH, timeout_ms);

	ret->n = 0;
	if (n < 0)
		return errno == EINTR ? 0 : error_origin(-errno);
	for (int i = 0; i < n; i++) {
		ret->events[i].source = NULL;
		ret->events[i].events = events[i].events;
		ret->events[i].token = events[i].data.u64;
	}
	ret->n = n;
	return 0;
}

/* --- sources --- */

static uint64_t token_make(uint32_t place, uint32_t given) {
	return (uint64_t)given << 32 | place;
}

static struct source *token_find(const struct loop *loop, uint64_t token) {
	uint32_t place = (uint32_t)token;

	if (place >= loop->n_places || loop->places[place].given != (uint32_t)(token >> 32))
		return NULL;
	return loop->places[place].source;
}

static int places_grow(struct loop *loop) {
	size_t n = loop->n_places ? 2 * loop->n_places : TABLE_MIN;
	struct place *places;

	if (n >= PLACE_NONE)
		return error_origin(-ENOMEM);
	places = reallocarray(loop->places, n, sizeof *places);
	if (!places)
		return error_origin(-ENOMEM);
	for (size_t i = n; i-- > loop->n_places;) {
		places[i] = (struct place){ .next_free = loop->first_free };
		loop->first_free = (uint32_t)i;
	}
	loop->places = places;
	loop->n_places = n;
	return 0;
}

static uint64_t place_take(struct loop *loop, struct source *source) {
	uint32_t at = loop->first_free;
	struct place *place = &loop->places[at];

	loop->first_free = place->next_free;
	loop->n_sources++;
	place->source = source;
	place->given++;
	return token_make(at, place->given);
}

static void place_give_back(struct loop *loop, uint64_t token) {
	uint32_t at = (uint32_t)token;

	must(token_find(loop, token));
	loop->places[at].source = NULL;
	loop->places[at].next_free = loop->first_free;
	loop->first_free = at;
	loop->n_sources--;
}

int source_add(struct loop *loop, struct source *source, int fd, uint32_t events,
	       source_handler handler) {
	struct epoll_event event = { .events = events };
	int r;

	if (loop->first_free == PLACE_NONE) {
		r = places_grow(loop);
		if (r)
			return error_trace(r);
	}
	r = fd < 0 ? 0 : numbers_reserve(loop, fd); /* epoll says what is wrong with -1 */
	if (r)
		return error_trace(r);
	event.data.u64 = place_take(loop, source);
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event)) {
		r = -errno;
		place_give_back(loop, event.data.u64);
		return error_origin(r);
	}
	number_take(loop, fd);
	source->loop = loop;
	source->fd = fd;
	source->events = events;
	source->handler = handler;
	source->token = event.data.u64;
	return 0;
}

int source_modify(struct source *source, uint32_t events) {
	struct epoll_event event = { .events = events, .data.u64 = source->token };

	if (events == source->events && !(events & EPOLLONESHOT))
		return 0;
	if (epoll_ctl(source->loop->epoll, EPOLL_CTL_MOD, source->fd, &event))
		return error_origin(-errno);
	source->events = events;
	return 0;
}

void source_remove(struct source *source) {
	int saved = errno;

	if (!source->loop)
		return;
	/* Fails if the descriptor has already been closed; then it is in no epoll set any more. */
	(void)epoll_ctl(source->loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	place_give_back(source->loop, source->token);
	number_give_back(source->loop, source->fd);
	source->loop = NULL;
	errno = saved;
}

bool source_is_intact(const struct source *source) {
	return !source->loop ||
	       is_waited_for(source->loop, source->fd, source->events, source->token);
}

/* --- timers --- */

static void heap_place(struct loop *loop, struct timer *timer, size_t index) {
	loop->heap[index] = timer;
	timer->index = index;
}

static void heap_up(struct loop *loop, struct timer *timer, size_t index) {
	while (index > 0) {
		size_t parent = (index - 1) / 2;

		if (loop->heap[parent]->at <= timer->at)
			break;
		heap_place(loop, loop->heap[parent], index);
		index = parent;
	}
	heap_place(loop, timer, index);
}

static void heap_down(struct loop *loop, struct timer *timer, size_t index) {
	for (;;) {
		size_t child = 2 * index + 1;

		if (child >= loop->n_timers)
			break;
		if (child + 1 < loop->n_timers && loop->heap[child + 1]->at < loop->heap[child]->at)
			child++;
		if (timer->at <= loop->heap[child]->at)
			break;
		heap_place(loop, loop->heap[child], index);
		index = child;
	}
	heap_place(loop, timer, index);
}

static void heap_settle(struct loop *loop, struct timer *timer, size_t index) {
	if (index > 0 && timer->at < loop->heap[(index - 1) / 2]->at)
		heap_up(loop, timer, index);
	else
		heap_down(loop, timer, index);
}

static int heap_resize(struct loop *loop, size_t room) {
	struct timer **heap = reallocarray(loop->heap, room, sizeof(struct timer *));

	if (!heap)
		return error_origin(-ENOMEM);
	loop->heap = heap;
	loop->heap_room = room;
	return 0;
}

/* A burst of a hundred thousand deadlines must not cost memory forever. */
static void heap_shrink(struct loop *loop) {
	size_t needed = loop->n_timers > loop->n_reserved ? loop->n_timers : loop->n_reserved;

	if (loop->heap_room > TABLE_MIN && needed < loop->heap_room / 4)
		(void)heap_resize(loop, loop->heap_room / 2); /* on failure the larger one stays */
}

int loop_reserve(struct loop *loop, size_t n) {
	size_t needed = loop->n_reserved + n, room = loop->heap_room ? loop->heap_room : TABLE_MIN;
	int r = 0;

	while (room < needed)
		room *= 2;
	if (room != loop->heap_room)
		r = heap_resize(loop, room);
	if (r == 0)
		loop->n_reserved = needed;
	return error_trace(r);
}

void loop_release(struct loop *loop, size_t n) {
	must(n <= loop->n_reserved);
	loop->n_reserved -= n;
	heap_shrink(loop);
}

static void heap_remove(struct loop *loop, struct timer *timer) {
	struct timer *last = loop->heap[--loop->n_timers];

	if (last != timer)
		heap_settle(loop, last, timer->index);
	timer->loop = NULL;
	heap_shrink(loop);
}

/* timerfd_settime() also discards an expiration that has not been read, so the timerfd is never
 * read: it stays readable until the earliest timer changes. It fails only if a host has closed our
 * descriptor, and then loop_wait() reports that. */
static void timerfd_update(struct loop *loop) {
	nsec_t at = loop->n_timers ? loop->heap[0]->at : NSEC_NEVER;
	struct itimerspec spec = { 0 };

	if (at == loop->armed)
		return;
	if (at != NSEC_NEVER) {
		nsec_t set = at ? at : 1; /* 0 would switch it off */

		spec.it_value.tv_sec = (time_t)(set / NSEC_PER_SEC);
		spec.it_value.tv_nsec = (long)(set % NSEC_PER_SEC);
	}
	(void)timerfd_settime(loop->timerfd, TFD_TIMER_ABSTIME, &spec, NULL);
	loop->armed = at;
}

int timer_set(struct loop *loop, struct timer *timer, nsec_t at, timer_handler handler) {
	if (timer->loop) {
		timer->at = at;
		heap_settle(loop, timer, timer->index);
	} else {
		if (loop->n_timers == loop->heap_room) {
			int r =
			    heap_resize(loop, loop->heap_room ? 2 * loop->heap_room : TABLE_MIN);

			if (r)
				return error_trace(r);
		}
		timer->at = at;
		timer->loop = loop;
		heap_up(loop, timer, loop->n_timers++);
	}
	timer->handler = handler;
	timerfd_update(loop);
	return 0;
}

void timer_clear(struct timer *timer) {
	struct loop *loop = timer->loop;
	int saved = errno;

	if (!loop)
		return;
	heap_remove(loop, timer);
	timerfd_update(loop);
	errno = saved;
}

/* Runs at most as many timers as there were: if a handler sets its timer to a moment that has
 * passed, it runs again in the next round, after the descriptors. */
static void timers_run(struct loop *loop) {
	nsec_t now;

	if (!loop->n_timers)
		return;
	now = clock_now();
	for (size_t left = loop->n_timers; left && loop->n_timers; left--) {
		struct timer *timer = loop->heap[0];

		if (timer->at > now || timer->at == NSEC_NEVER)
			break;
		heap_remove(loop, timer);
		timer->handler(timer, now); /* careful: this may have freed its timer */
	}
}

/* --- dispatch --- */

void loop_dispatch(struct loop *loop, struct loop_batch *batch) {
	for (int i = 0; i < batch->n; i++) {
		/* TOKEN_TIMER has no place: timers run below. */
		struct source *source = token_find(loop, batch->events[i].token);

		batch->events[i].source = source;
		if (source)
			source->handler(source, batch->events[i].events); /* may free it */
	}
	batch->n = 0;
	timers_run(loop);
	timerfd_update(loop);
}
