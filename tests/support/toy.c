/* SPDX-License-Identifier: MIT
 *
 * The toy's table, its script, its preload hook and its initializer; toy.h says what they do.
 */
#include "tests/support/toy.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/number.h"

#define TEXT_MAX 4096

/* --- what the steps use --- */

int toy_answer(struct wf_call *call, const char *format, ...) {
	char text[TEXT_MAX];
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return wf_return(call, text, n < 0 ? 0 : (size_t)n);
}

void toy_report(const struct wf_call *call, const char *format, ...) {
	va_list arguments;

	if (wf_call_descriptor(call, 0) < 0)
		return;
	va_start(arguments, format);
	vdprintf(wf_call_descriptor(call, 0), format, arguments);
	va_end(arguments);
}

void toy_hang(void) {
	for (;;)
		pause();
}

/* --- binary functions --- */

static int echo(struct wf_call *call) {
	size_t size;
	const void *input = wf_call_input(call, &size);

	return wf_return(call, input, size);
}

static int upper(struct wf_call *call) {
	size_t size;
	const char *input = wf_call_input(call, &size);
	char *text = wf_return_buffer(call, size);

	if (text == NULL)
		return wf_fail(call, errno, "no buffer");
	for (size_t i = 0; i < size; i++)
		text[i] = (char)toupper((unsigned char)input[i]);
	return 0;
}

static int sum(struct wf_call *call) {
	size_t size;
	const unsigned char *input = wf_call_input(call, &size);
	unsigned long total = 0;

	for (size_t i = 0; i < size; i++)
		total += input[i];
	return toy_answer(call, "%lu", total);
}

/* --- steps that tell, and the script --- */

static int step_echo(struct wf_call *call, const char *argument) {
	return wf_return(call, argument, strlen(argument));
}

static int step_big(struct wf_call *call, const char *argument) {
	size_t size = (size_t)number_at(argument, NULL);
	unsigned char *data = wf_return_buffer(call, size);

	if (data == NULL)
		return wf_fail(call, errno, "no buffer of %zu bytes", size);
	for (size_t i = 0; i < size; i++)
		data[i] = toy_byte(i);
	return 0;
}

static int step_pid(struct wf_call *call, const char *argument) {
	(void)argument;
	return toy_answer(call, "%d", (int)getpid());
}

static int step_slot(struct wf_call *call, const char *argument) {
	(void)argument;
	return toy_answer(call, "%d", wf_call_slot(call));
}

static int step_number(struct wf_call *call, const char *argument) {
	(void)argument;
	return toy_answer(call, "%llu", (unsigned long long)wf_call_task_number(call));
}

static const struct toy_entry tells[] = {
	{ "echo", step_echo },     { "big", step_big }, { "pid", step_pid },
	{ "number", step_number }, { NULL, NULL },
};

static toy_step find_step(const char *name, size_t length) {
	const struct toy_entry *const tables[] = { tells, toy_ends, toy_output, toy_trees,
						   toy_residue };

	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		for (const struct toy_entry *entry = tables[i]; entry->name != NULL; entry++) {
			if (strlen(entry->name) == length && memcmp(entry->name, name, length) == 0)
				return entry->step;
		}
	}
	return NULL;
}

/* Splits "name argument" and calls. */
static int run_step(struct wf_call *call, char *text) {
	char *name = text + strspn(text, " ");
	size_t length = strcspn(name, " ");
	const char *argument = name + length + (name[length] == ' ' ? 1 : 0);
	toy_step step = find_step(name, length);

	if (step == NULL)
		return wf_fail(call, 99, "the toy has no step %s", name);
	return step(call, argument);
}

/* The input as a terminated text. */
static void copy_input(struct wf_call *call, char text[TEXT_MAX]) {
	size_t size;
	const char *input = wf_call_input(call, &size);

	if (size > TEXT_MAX - 1)
		size = TEXT_MAX - 1;
	memcpy(text, input, size);
	text[size] = '\0';
}

static int script(struct wf_call *call) {
	char text[TEXT_MAX], *rest = text, *step;
	int result = 0;

	copy_input(call, text);
	while (result == 0 && (step = strsep(&rest, ";")) != NULL)
		result = run_step(call, step);
	return result;
}

static int run_alone(struct wf_call *call, const char *name) {
	char argument[TEXT_MAX];

	copy_input(call, argument);
	return find_step(name, strlen(name))(call, argument);
}

#define ALONE(name)                                                                                \
	static int alone_##name(struct wf_call *call) {                                            \
		return run_alone(call, #name);                                                     \
	}
ALONE(background)
ALONE(cat)
ALONE(close_channel)
ALONE(crash)
ALONE(daemon)
ALONE(dirty)
ALONE(exit)
ALONE(fail)
ALONE(flood_channel)
ALONE(hang)
ALONE(hold_pipes)
ALONE(look)
ALONE(spam)
ALONE(stop)
ALONE(big)
ALONE(pid)
ALONE(number)

static int alone_slot(struct wf_call *call) {
	return step_slot(call, "");
}

/* --- the preload hook --- */

static char argument_copy[TEXT_MAX];

/* What follows the word in the preload argument, or NULL. */
static const char *option(const char *word, char value[TEXT_MAX]) {
	const char *at = argument_copy;
	size_t length = strlen(word);

	for (; *at != '\0'; at += strcspn(at, ";"), at += *at == ';' ? 1 : 0) {
		at += strspn(at, " ");
		if (strncmp(at, word, length) == 0 && strchr(" ;", at[length]) != NULL) {
			at += length;
			at += strspn(at, " ");
			snprintf(value, TEXT_MAX, "%.*s", (int)strcspn(at, ";"), at);
			return value;
		}
	}
	return NULL;
}

static void *wait_for_ever(void *argument) {
	(void)argument;
	toy_hang();
}

static void hang_deaf(const char *path) {
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	dprintf(fd, "hung %d\n", (int)getpid());
	toy_hang();
}

static void preload_ends(void) {
	char value[TEXT_MAX];

	if (option("hang", value) != NULL)
		hang_deaf(value);
	if (option("hang_while", value) != NULL && access(value, F_OK) == 0)
		hang_deaf(value);
	if (option("exit", value) != NULL)
		_exit((int)number_at(value, NULL));
	if (option("crash", value) != NULL)
		raise((int)number_at(value, NULL));
}

static int preload(const struct wf_preload_info *info) {
	char value[TEXT_MAX];
	pthread_t thread;

	if (info->argument_size > sizeof argument_copy - 1)
		return E2BIG;
	if (info->argument_size > 0)
		memcpy(argument_copy, info->argument, info->argument_size);
	if (option("output", value) != NULL)
		dprintf(STDERR_FILENO, "%s\n", value);
	preload_ends();
	if (option("thread", value) != NULL)
		pthread_create(&thread, NULL, wait_for_ever, NULL);
	if (option("descriptor", value) != NULL && open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
		return errno;
	return option("fail", value) != NULL ? (int)number_at(value, NULL) : 0;
}

/* --- the initializer --- */

/* Adds a byte to the file; the number of the run, counted over all workers. */
static off_t count_run(const char *path) {
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	off_t run = write(fd, "i", 1) == 1 ? lseek(fd, 0, SEEK_CUR) : -1;

	close(fd);
	return run;
}

static int initialize(const struct wf_worker_info *info) {
	char value[TEXT_MAX];
	off_t run = 0;

	(void)info;
	if (option("count", value) != NULL)
		run = count_run(value);
	if (option("initialize_crash_while", value) != NULL && access(value, F_OK) == 0)
		raise(SIGKILL);
	if (option("initialize_fail_while", value) != NULL && access(value, F_OK) == 0)
		return 5;
	if (option("initialize_fail", value) != NULL && run <= number_at(value, NULL))
		return 5;
	return 0;
}

/* --- the image --- */

WF_MODULE(.preload = preload, .initialize = initialize,
	  .functions = WF_FUNCTIONS(
	      { "script", script }, { "echo", echo }, { "upper", upper }, { "sum", sum },
	      { "big", alone_big }, { "pid", alone_pid }, { "slot", alone_slot },
	      { "number", alone_number }, { "background", alone_background }, { "cat", alone_cat },
	      { "close_channel", alone_close_channel }, { "crash", alone_crash },
	      { "daemon", alone_daemon }, { "dirty", alone_dirty }, { "exit", alone_exit },
	      { "fail", alone_fail }, { "flood_channel", alone_flood_channel },
	      { "hang", alone_hang }, { "hold_pipes", alone_hold_pipes }, { "look", alone_look },
	      { "spam", alone_spam }, { "stop", alone_stop }));
