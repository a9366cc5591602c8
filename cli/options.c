/* SPDX-License-Identifier: MIT
 *
 * Every error is answered with one sentence that says what would be right.
 */
#include "cli/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <warmfork/executor.h>

#include "cli/report.h"

enum { OPTION_HELP = OPTIONS_FIRST + 1024, OPTION_VERSION };

bool options_complain(const char *command, const char *format, ...) {
	va_list arguments;

	va_start(arguments, format);
	report_begin(command, format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, "; `warmfork help %s` tells more\n", command);
	return false;
}

bool options_number(const char **text, unsigned most, unsigned *ret) {
	size_t n = strspn(*text, "0123456789");
	uint64_t value = 0;

	for (size_t i = 0; i < n && value <= most; i++)
		value = value * 10 + (uint64_t)((*text)[i] - '0');
	*text += n;
	*ret = (unsigned)value;
	return n > 0 && value <= most;
}

bool options_preset(const char *command, const char *name) {
	static const char *const presets[] = { "pure", "stage", "tests" };

	for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++)
		if (strcmp(name, presets[i]) == 0)
			return true;
	return options_complain(command, "--preset takes pure, stage or tests, not \"%s\"", name);
}

static void fill(const struct options_grammar *grammar, struct option known[OPTIONS_MOST]) {
	static const struct option common[] = {
		{ "help", no_argument, NULL, OPTION_HELP },
		{ "version", no_argument, NULL, OPTION_VERSION },
		{ NULL, 0, NULL, 0 },
	};
	size_t n = grammar->n_known;

	if (n > OPTIONS_MOST - sizeof common / sizeof common[0])
		n = OPTIONS_MOST - sizeof common / sizeof common[0];
	if (n > 0)
		memcpy(known, grammar->known, n * sizeof known[0]);
	memcpy(known + n, common, sizeof common);
}

/* getopt_long(3) does not tell which option it rejected if the word was another option's value. */
static bool refuse(const struct options_grammar *grammar, int option, const char *word) {
	if (option == ':')
		return options_complain(grammar->command, "%s takes a value", word);
	return options_complain(grammar->command, "%s %s", word,
				grammar->unknown
				    ? grammar->unknown
				    : "is not an option of this command, or takes no value");
}

enum options_result options_parse(const struct options_grammar *grammar, int argc, char **argv,
				  void *options, int *ret_rest) {
	struct option known[OPTIONS_MOST];
	int option;

	fill(grammar, known);
	while ((option = getopt_long(argc, argv, grammar->leading ? "+:h" : ":h", known, NULL)) !=
	       -1) {
		switch (option) {
		case 'h':
		case OPTION_HELP:
			(void)fputs(grammar->help, stdout);
			return OPTIONS_OVER;
		case OPTION_VERSION:
			(void)printf("warmfork %s\n", wf_version());
			return OPTIONS_OVER;
		case ':':
		case '?':
			(void)refuse(grammar, option, argv[optind - 1]);
			return OPTIONS_WRONG;
		default:
			if (!grammar->take(options, option, optarg))
				return OPTIONS_WRONG;
		}
	}
	*ret_rest = optind;
	return OPTIONS_GOOD;
}
