/* SPDX-License-Identifier: MIT
 *
 * warmfork: what can be learned about an image without writing a program. The command uses only the
 * public headers, like any other program: what it cannot find out, no program can.
 */
#include <stdio.h>
#include <string.h>
#include <warmfork/executor.h>

#include "cli/attack/image.h"
#include "cli/command.h"

static const struct command {
	const char *name, *does;
	command_function run;
} commands[] = {
	{ "attack", "test whether the sandbox stops hostile tasks on this machine",
	  attack_command },
	{ "doctor", "report what this machine offers, what is missing, and how to get it",
	  doctor_command },
	{ "image", "load an image and report what it costs, and what makes its forks slow",
	  image_command },
	{ "run", "run a program in a sandbox, where it can do only what you allow", run_command },
};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

static const struct command *find_command(const char *name) {
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void print_help(FILE *to) {
	(void)fprintf(to, "warmfork COMMAND [ARGUMENTS]\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		(void)fprintf(to, "  %-15s %s\n", commands[i].name, commands[i].does);
	(void)fprintf(to, "  %-15s %s\n", "help [COMMAND]",
		      "print this, or the options of a command");
	(void)fprintf(to, "  %-15s %s\n", "--version", "print the version of the library");
}

static enum command_status no_command(const char *name) {
	(void)fprintf(stderr, "warmfork: there is no command \"%s\"; `warmfork help` lists them\n",
		      name);
	return COMMAND_USAGE;
}

static enum command_status run(const char *name, int argc, char **argv) {
	const struct command *command = find_command(name);

	return command ? command->run(argc, argv) : no_command(name);
}

static enum command_status help(char *name) {
	char option[] = "--help";

	if (name)
		return run(name, 2, (char *[]){ name, option, NULL });
	print_help(stdout);
	return COMMAND_OK;
}

static enum command_status dispatch(int argc, char **argv) {
	const char *name = argv[1];

	if (!name) {
		print_help(stderr);
		return COMMAND_USAGE;
	}
	if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		return help(argv[2]);
	if (strcmp(name, "--version") == 0) {
		(void)printf("warmfork %s\n", wf_version());
		return COMMAND_OK;
	}
	return run(name, argc - 1, argv + 1);
}

int main(int argc, char **argv) {
	enum command_status status;

	/* `warmfork attack` has this program as its image; in the zygote this does not return. */
	if (wf_init(argc, argv, attack_image()) < 0) {
		(void)fprintf(stderr, "warmfork: %s\n", wf_last_error());
		return COMMAND_FAILED;
	}
	status = argc < 1 ? COMMAND_USAGE : dispatch(argc, argv);

	/* A report that was not written completely must not look like one that was. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("warmfork: standard output");
		return COMMAND_FAILED;
	}
	return (int)status;
}
