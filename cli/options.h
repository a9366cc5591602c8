/* SPDX-License-Identifier: MIT
 *
 * The command line of a command: which options it has, what each takes, and one sentence for
 * anything wrong with it. --help, -h and --version are the same for all.
 */
#pragma once

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#define OPTIONS_FIRST 256 /* the first number of an option, above all characters */
#define OPTIONS_MOST  64

struct options_grammar {
	const char *command, *help;
	const struct option *known; /* not terminated; --help and --version are added */
	size_t n_known;
	bool leading;        /* options end at the first word that is not one */
	const char *unknown; /* what is said about a word that is no option, instead of the usual */
	/* Takes one option into `options`; it may cut up `value`. Returns false if the option is
	 * wrong, which it has reported. */
	bool (*take)(void *options, int option, char *value);
};

enum options_result {
	OPTIONS_GOOD,
	OPTIONS_OVER,  /* help or version, and nothing else, was asked for */
	OPTIONS_WRONG, /* an error has been reported */
};

/* *ret_rest is the index of the first word after the options. */
enum options_result options_parse(const struct options_grammar *grammar, int argc, char **argv,
				  void *options, int *ret_rest);

/* Prints "warmfork COMMAND: ...; `warmfork help COMMAND` tells more". Returns false. */
__attribute__((format(printf, 2, 3))) bool options_complain(const char *command, const char *format,
							    ...);

/* Parses digits, a number of at most `most`, and moves *text behind them. Returns false, and
 * reports nothing, if there are none or the number is larger. */
bool options_number(const char **text, unsigned most, unsigned *ret);

/* Tells whether it is the name of a preset, and reports it if not. */
bool options_preset(const char *command, const char *name);
