/* SPDX-License-Identifier: MIT
 *
 * What attackers share with the host that judges them.
 *
 * The two sides of a row are next to each other in one file: what a hostile task does inside, and
 * how the host finds out from outside whether it got through. That a call failed is no proof for
 * the host. It has made a token that it has told nobody, and the token came back or not; it has a
 * file, a sibling, a socket, and these are unchanged or not.
 */
#pragma once

#include <limits.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <warmfork/executor.h>
#include <warmfork/inspect.h>
#include <warmfork/task.h>

#define ATTACK_TOKEN       17 /* 16 hexadecimal digits and a NUL */
#define ATTACK_PATH        256
#define ATTACK_ANSWER      8192
#define ATTACK_BITS        8 /* that an attacker has to find out */
#define ATTACK_DESCRIPTORS 3 /* of a task, including the line */

/* Limits of the policy. Attackers try to exceed them by a fixed amount, so that a control, which
 * has no limits, does no harm either. */
#define ATTACK_PROCESSES         16
#define ATTACK_PROCESSES_TRIED   64
#define ATTACK_MEMORY            ((size_t)32 << 20)
#define ATTACK_MEMORY_TRIED      ((size_t)64 << 20)
#define ATTACK_FILE_SIZE         ((size_t)1 << 20)
#define ATTACK_FILE_SIZE_TRIED   ((size_t)8 << 20)
#define ATTACK_SCRATCH           ((size_t)4 << 20)
#define ATTACK_DESCRIPTORS_MOST  64
#define ATTACK_DESCRIPTORS_TRIED 256
#define ATTACK_OUTPUT            ((size_t)64 << 10)

/* --- what an attacker is told ---------------------------------------------------------------- */

/* The input of its task, byte by byte. Nothing in it is secret. */
struct attack_brief {
	char in[ATTACK_PATH];      /* a directory that is declared readable */
	char input[ATTACK_PATH];   /* in/data */
	char out[ATTACK_PATH];     /* a directory that is declared writable */
	char outside[ATTACK_PATH]; /* a directory that is not declared */
	char secret[ATTACK_PATH];  /* outside/secret: a token */
	char nonce[ATTACK_TOKEN];  /* of this bout, for signing */
	char masked[ATTACK_TOKEN]; /* what the sibling was given, each byte xor ATTACK_MASK */
	pid_t sibling;             /* another worker of the pool, as the host sees it */
	pid_t sibling_inside;      /* the same, as the sibling sees it */
	pid_t stand_in;            /* a process of the host's user, like an executor */
	pid_t zygote;
	int32_t bits_at[ATTACK_BITS]; /* descriptors of the sibling */
	bool own_pids;                /* the pool, or the whole command, has a pid namespace */
	uint16_t tcp_port, udp_port, free_port;
	char abstract[ATTACK_TOKEN];
	char socket[ATTACK_PATH]; /* outside/socket */
	int32_t segment;          /* shmid */
	int32_t queue_key;
	int32_t key;     /* serial */
	uint64_t detail; /* of this row: which of its acts, or whose program */
};
#define ATTACK_MASK 0x55

/* --- inside ---------------------------------------------------------------------------------- */

const struct attack_brief *attack_brief(struct wf_call *call);

/* The host's end of this socket proves whether anything lives: it reads end-of-file when no process
 * forked from the attacker is left. */
int attack_line(const struct wf_call *call);
/* Sends one message: a letter and its data. */
void attack_say(const struct wf_call *call, char letter, const void *data, size_t size);
/* Tells the host that the deed is done, and returns when the host has looked. */
void attack_hold(const struct wf_call *call);
/* Blocks until the host lets go; for processes that an attacker has forked. */
void attack_wait(const struct wf_call *call);

/* The size of a socket's name. An abstract one starts with a zero byte and is not terminated. */
socklen_t attack_address_size(const struct sockaddr_un *address, bool abstract);

struct sockaddr_in attack_loopback(uint16_t port);
/* Connects over TCP. Returns -1 if it cannot. */
int attack_connect(uint16_t port);

#define ATTACK_RIGHTS 250 /* the kernel takes 253 in one message */
/* Sends a descriptor, `n` times in one message. */
bool attack_send_rights(int socket, int fd, unsigned n);

/* Ends every attacker: answers whether it believes that it got through, and what it found. */
int attack_answer(struct wf_call *call, bool believes, const void *loot, size_t size);
/* Can the first bytes there be read? */
bool attack_is_readable(const void *at);
/* Reads up to `size` bytes of a file. Returns their number, or -1. */
ssize_t attack_read(const char *path, void *data, size_t size);
/* Overwrites the start of a file. Returns whether that worked. */
bool attack_overwrite(int fd, const char *text);

/* What a sibling holds in its memory, at an address that the other workers know because they are
 * forks of the same zygote. */
struct attack_held {
	char token[ATTACK_TOKEN];
	uint64_t word;
};
extern struct attack_held attack_held;
#define ATTACK_WORD UINT64_C(0x5afe5afe5afe5afe)
/* Pages at a fixed address, some of which the sibling has written to, one for each bit. */
#define ATTACK_PAGES ((void *)0x123400000000)

/* A variable of the host's environment, which has a token. */
#define ATTACK_VARIABLE "WARMFORK_ATTACK"

/* --- the host -------------------------------------------------------------------------------- */

enum attack_verdict {
	ATTACK_STOPPED = 1,
	ATTACK_THROUGH,
	ATTACK_NOTHING, /* of the library's own rows: it was not even tried, which shows nothing */
	ATTACK_ERROR,   /* the host could not make the attempt */
	ATTACK_NONE,    /* not tried */
};

/* The layers that are tried alone. */
enum attack_layer {
	ATTACK_LANDLOCK,
	ATTACK_SECCOMP,
	ATTACK_NAMESPACES,
	ATTACK_LIMITS,
	ATTACK_CGROUP,
	ATTACK_DESCRIPTOR_LAYER,
	ATTACK_PRIVILEGES, /* identity, capabilities, no_new_privs */
	N_ATTACK_LAYERS,
};

/* What is in force in an attempt: nothing, the whole policy, or one layer of it. */
enum attack_column { ATTACK_CONTROL, ATTACK_POLICY, ATTACK_ALONE /* + enum attack_layer */ };
#define N_ATTACK_COLUMNS (ATTACK_ALONE + (int)N_ATTACK_LAYERS)

/* Another worker of the same pool, which does its own work. */
struct attack_sibling {
	struct wf_future *future;
	int line;
	pid_t pid, inside;
	char token[ATTACK_TOKEN]; /* in its memory */
	char lent[ATTACK_TOKEN];  /* in a file that it has open */
	unsigned bits; /* which of its descriptors are the attacker's, which pages are there */
};

/* A process of the host that stands for the executor and for programs of the same user. */
struct attack_stand_in {
	pid_t pid;
	int fd; /* pidfd */
	int input;
	char argument[ATTACK_TOKEN], environment[ATTACK_TOKEN]; /* tokens */
};

struct attack_setting {
	const char *preset; /* NULL if only the file counts */
	const char *policy; /* a file, or NULL */
	bool contained;     /* it runs in a pid namespace made for it */
};

/* The target of the attacks: one executor, and what belongs to it. */
struct attack_ground {
	const struct attack_setting *setting;
	struct wf_executor *executor;
	int column;    /* enum attack_column */
	bool controls; /* there is no layer, so attacks are meant to succeed */
	struct attack_brief brief;
	char root[ATTACK_PATH];
	int root_fd;
	char secret[ATTACK_TOKEN], linked[ATTACK_TOKEN];
	int abstract, pathname, tcp, udp; /* listening sockets, or -1 */
	int ended;                        /* an eventfd: the attacker's task has its outcome */
	int lent;                         /* a descriptor whose file holds the sibling's token */
	int shared, other;                /* two files, one for each value of a bit */
	struct attack_sibling sibling;
	struct attack_stand_in stand_in;
	struct wf_statistics before;
	char segment_token[ATTACK_TOKEN], key_token[ATTACK_TOKEN];
	char environment[ATTACK_TOKEN];    /* in a variable of the host */
	int extra[ATTACK_DESCRIPTORS - 1]; /* descriptors that this row passes to the task, or -1 */
	const char *directory;             /* the working directory of the task, or NULL */
	uint64_t number;                   /* for the row's own use */
	int fd;                            /* likewise, or -1 */
	pid_t pid;
};

/* One attempt after its end. */
struct attack_bout {
	/* A copy without what it points to. The executor closes its own descriptors of a task only
	 * when the future is released, and until then the line would not end. */
	struct wf_outcome outcome; /* kind 0 if there was none in time */
	pid_t pid;
	bool held;        /* it got as far as letting the host look */
	bool believes;    /* that it got through */
	bool seen;        /* look() saw it */
	bool gone;        /* none of its processes is left */
	bool signed_off;  /* the nonce came over the line */
	unsigned n_alive; /* processes that have reported that they live */
	uint64_t told;    /* a number that it reported */
	char loot[ATTACK_ANSWER];
	size_t loot_size;
};

struct attack {
	unsigned number;
	const char *title;
	const char *name; /* of the function */
	wf_function function;
	unsigned flags;
	int timeout_ms;
	unsigned stops; /* 1 << enum attack_layer: the layers that must stop it alone */
	int landlock;   /* the ABI that Landlock needs for that; 0 for any */
	bool (*prepare)(struct attack_ground *ground);
	/* Called while the attacker holds. */
	void (*look)(struct attack_ground *ground, struct attack_bout *bout);
	enum attack_verdict (*judge)(struct attack_ground *ground, const struct attack_bout *bout);
	/* Called even if prepare() failed half-way. */
	void (*clean)(struct attack_ground *ground);
	/* Replaces all of these. */
	enum attack_verdict (*run)(struct attack_ground *ground, const struct attack *attack);
	/* Returns the kernel feature that is missing, or would have to be missing; NULL if the
	 * attack can be tried. Checked on this machine each time. */
	const char *(*inapplicable)(void);
};

enum attack_flag {
	ATTACK_SIBLING = 1 << 0, /* another worker runs */
	ATTACK_LIBRARY = 1 << 1, /* the library has to survive it; no layer has to stop it */
	ATTACK_CAPTURE = 1 << 2, /* stdout is captured, up to ATTACK_OUTPUT */
};

struct attack_rows {
	const struct attack *rows;
	size_t n;
};
extern const struct attack_rows attack_files, attack_descriptors, attack_channel, attack_processes,
    attack_limits, attack_memory, attack_network, attack_kernel, attack_privileges, attack_endings,
    attack_secrets, attack_links, attack_reports;
