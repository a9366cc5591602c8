/* SPDX-License-Identifier: MIT
 *
 * A forked child of the host has a copy of our descriptors. As long as it holds the keeper's
 * socket, the end of the host would not end that socket, so an atfork handler closes it in the
 * child; for children of a bare clone(2), the keeper watches the host's pidfd as well. What tells a
 * child from its parent is a page that the kernel wipes in the child (MADV_WIPEONFORK, Linux 4.14),
 * whatever kind of fork made it.
 */
#include "executor/registry.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/loop.h"

static struct {
	pthread_mutex_t lock;
	struct list_node list;    /* struct registered */
	volatile uint32_t *alive; /* 1; 0 in a forked child; NULL: no executor has been opened */
	uint64_t process;
} registry = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.list = { &registry.list, &registry.list },
};

static void lock(void) {
	must(pthread_mutex_lock(&registry.lock) == 0);
}

static void unlock(void) {
	must(pthread_mutex_unlock(&registry.lock) == 0);
}

/* Closes the child's copies. Their numbers stay in structs that are not used again. */
static void in_child(void) {
	for (struct list_node *link = registry.list.next; link != &registry.list;
	     link = link->next) {
		const int *descriptor = container_of(link, struct registered, link)->descriptor;

		if (*descriptor >= 0)
			(void)close(*descriptor);
	}
	unlock();
}

/* A failure is not remembered: the next executor may find memory. */
static int start(void) {
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return error_origin(-ENOMEM);
	if (madvise(page, size, MADV_WIPEONFORK) < 0 || pthread_atfork(lock, unlock, in_child)) {
		(void)munmap(page, size);
		return error_origin(-ENOMEM);
	}
	registry.alive = page;
	*registry.alive = 1;
	return 0;
}

/* A worker that was forked from a zygote whose preload used the library starts with a clean page
 * too: the executors of its parent are none of its business. */
int registry_begin(void) {
	int r = 0;

	lock();
	if (!registry.alive) {
		r = start();
	} else if (!*registry.alive) {
		list_init(&registry.list);
		registry.process++;
		*registry.alive = 1;
	}
	unlock();
	return r;
}

uint64_t registry_process(void) {
	return registry.process;
}

bool registry_is_this_process(uint64_t process) {
	/* the page is 1 again in a child that has opened executors of its own */
	return registry.alive && *registry.alive && process == registry.process;
}

void registry_add(struct registered *registered) {
	lock();
	list_append(&registry.list, &registered->link);
	unlock();
}

void registry_remove(struct registered *registered) {
	lock();
	list_remove(&registered->link);
	unlock();
}

void registry_forget(void) {
	lock();
	list_init(&registry.list);
	unlock();
}
