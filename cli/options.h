/* SPDX-License-Identifier: MIT
 *
 * The command line of a command: which options it has, what each is for it to take, and one sentence
 * about what is wrong with it. --help, -h and --version are the same for all.
 */
#pragma once

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#define OPTIONS_FIRST 256 /* the first number of an option: beyond all characters */
#define OPTIONS_MOST  64

struct options_grammar {
	const char *command, *help;
	const struct option *known; /* without an end; --help and --version are added */
	size_t n_known;
	bool leading;        /* they end at the first word that is none */
	const char *unknown; /* what is said of a word that is no option, instead of the usual */
	/* Takes one into `options`; `value` may be cut up. False: it is wrong, which has been said. */
	bool (*take)(void *options, int option, char *value);
};

enum options_result {
	OPTIONS_GOOD,
	OPTIONS_OVER,  /* help or version: that was all that was asked for */
	OPTIONS_WRONG, /* it has been said */
};

/* *ret_rest: the first word behind the options. */
enum options_result options_parse(const struct options_grammar *grammar, int argc, char **argv,
				  void *options, int *ret_rest);

/* "warmfork COMMAND: ...; `warmfork help COMMAND` tells more". Returns false. */
__attribute__((format(printf, 2, 3))) bool options_complain(const char *command, const char *format,
							    ...);

/* Digits only, at most `most`; *text is behind them then. False: none, or more than `most`; nothing
 * has been said. */
bool options_number(const char **text, unsigned most, unsigned *ret);

/* Is it the name of a preset? If not, says so. */
bool options_preset(const char *command, const char *name);
