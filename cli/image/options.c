/* SPDX-License-Identifier: MIT
 *
 * The words that options take.
 */
#include "cli/image/options.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli/image/forks.h"
#include "cli/options.h"

#define COMMAND "image"

static const char help[] =
    "warmfork image [OPTIONS] MODULE\n"
    "\n"
    "Loads the image that the shared object MODULE declares, and reports what it costs, how long a\n"
    "fork of it takes, what the biggest obstacle to a faster fork is, and what to do about it.\n"
    "\n"
    "  --argument TEXT       the argument of the preload hook\n"
    "  --waive WHAT[,WHAT]   report these findings of the audit, but do not refuse the image for them:\n"
    "                        threads, descriptors, locks, timers, signals, children\n"
    "  --freeze WHEN         auto (if it pays; the default), always, never\n"
    "  --forks N             how many workers to fork before counting the pages that the zygote has\n"
    "                        written to, rounded up to a multiple of 256; 256 by default, 0 for none\n"
    "  --preload-timeout MS  how long the preload may take, in milliseconds; 60000 by default, 0 for\n"
    "                        no limit\n"
    "  --json                print the report as JSON\n"
    "  --help, --version     print this, or the version of the library\n"
    "\n"
    "Exit status: 0 if the image can be used; 1 if it cannot, or no worker of it becomes ready; 2 if\n"
    "the command line makes no sense.\n";

static const struct {
	const char *word, *name;
	unsigned flag;
} waivers[] = {
	{ "threads", "WF_AUDIT_THREADS", WF_AUDIT_THREADS },
	{ "descriptors", "WF_AUDIT_DESCRIPTORS", WF_AUDIT_DESCRIPTORS },
	{ "locks", "WF_AUDIT_LOCKS", WF_AUDIT_LOCKS },
	{ "timers", "WF_AUDIT_TIMERS", WF_AUDIT_TIMERS },
	{ "signals", "WF_AUDIT_SIGNALS", WF_AUDIT_SIGNALS },
	{ "children", "WF_AUDIT_CHILDREN", WF_AUDIT_CHILDREN },
};
#define N_WAIVERS (sizeof waivers / sizeof waivers[0])

static const char *const freezes[] = {
	[WF_FREEZE_AUTO] = "auto",
	[WF_FREEZE_ALWAYS] = "always",
	[WF_FREEZE_NEVER] = "never",
};
#define N_FREEZES (sizeof freezes / sizeof freezes[0])

/* --- values -------------------------------------------------------------------------------- */

static bool parse_number(const char *option, const char *text, unsigned most, unsigned *ret) {
	const char *end = text;

	if (!options_number(&end, most, ret) || *end != '\0')
		return options_complain(COMMAND, "--%s takes a number from 0 to %u, not \"%s\"",
					option, most, text);
	return true;
}

static bool parse_waive(const char *text, unsigned *flags) {
	for (;;) {
		size_t size = strcspn(text, ","), i = 0;

		while (i < N_WAIVERS && (strlen(waivers[i].word) != size ||
					 memcmp(waivers[i].word, text, size) != 0))
			i++;
		if (i == N_WAIVERS)
			return options_complain(
			    COMMAND,
			    "--waive takes threads, descriptors, locks, timers, "
			    "signals and children, with commas between them, not "
			    "\"%.*s\"",
			    (int)size, text);
		*flags |= waivers[i].flag;
		if (text[size] == '\0')
			return true;
		text += size + 1;
	}
}

static bool parse_freeze(const char *text, enum wf_freeze *ret) {
	for (size_t i = 0; i < N_FREEZES; i++)
		if (strcmp(freezes[i], text) == 0) {
			*ret = (enum wf_freeze)i;
			return true;
		}
	return options_complain(COMMAND, "--freeze takes auto, always or never, not \"%s\"", text);
}

static bool parse_timeout(const char *option, const char *text, int *ret) {
	unsigned value = 0;

	if (!parse_number(option, text, INT_MAX, &value))
		return false;
	*ret = value == 0 ? WF_FOREVER : (int)value;
	return true;
}

/* --- options ------------------------------------------------------------------------------- */

enum option_id {
	OPTION_ARGUMENT = OPTIONS_FIRST,
	OPTION_WAIVE,
	OPTION_FREEZE,
	OPTION_FORKS,
	OPTION_PRELOAD_TIMEOUT,
	OPTION_JSON,
};

static const struct option known[] = {
	{ "argument", required_argument, NULL, OPTION_ARGUMENT },
	{ "waive", required_argument, NULL, OPTION_WAIVE },
	{ "freeze", required_argument, NULL, OPTION_FREEZE },
	{ "forks", required_argument, NULL, OPTION_FORKS },
	{ "preload-timeout", required_argument, NULL, OPTION_PRELOAD_TIMEOUT },
	{ "json", no_argument, NULL, OPTION_JSON },
};

static bool take_option(void *options, int option, char *value) {
	struct image_options *ret = options;

	switch (option) {
	case OPTION_ARGUMENT:
		ret->argument = value;
		return true;
	case OPTION_WAIVE:
		return parse_waive(value, &ret->waive);
	case OPTION_FREEZE:
		return parse_freeze(value, &ret->freeze);
	case OPTION_FORKS:
		return parse_number("forks", value, FORKS_MAX, &ret->forks);
	case OPTION_PRELOAD_TIMEOUT:
		return parse_timeout("preload-timeout", value, &ret->preload_timeout_ms);
	case OPTION_JSON:
	default:
		ret->json = true;
		return true;
	}
}

static const struct options_grammar grammar = {
	.command = COMMAND,
	.help = help,
	.known = known,
	.n_known = sizeof known / sizeof known[0],
	.take = take_option,
};

static bool take_module(char **words, struct image_options *ret) {
	if (!words[0])
		return options_complain(COMMAND, "no module is given; write the path of a "
						 "shared object");
	if (words[1])
		return options_complain(
		    COMMAND, "only one module can be loaded; \"%s\" is one too many", words[1]);
	ret->module = words[0];
	return true;
}

bool image_options_parse(int argc, char **argv, struct image_options *ret,
			 enum command_status *ret_status) {
	enum options_result result;
	int rest = argc;

	*ret = (struct image_options){ .forks = FORKS_COUNTED };
	result = options_parse(&grammar, argc, argv, ret, &rest);
	*ret_status = result == OPTIONS_OVER ? COMMAND_OK : COMMAND_USAGE;
	ret->forks = (ret->forks + FORKS_COUNTED - 1) / FORKS_COUNTED * FORKS_COUNTED;
	return result == OPTIONS_GOOD && take_module(argv + rest, ret);
}

void image_options_waivers(const char *refusal, char *ret, size_t size) {
	size_t length = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < N_WAIVERS && length < size; i++)
		if (strstr(refusal, waivers[i].name))
			length += (size_t)snprintf(ret + length, size - length, "%s%s",
						   length > 0 ? "," : "", waivers[i].word);
}
