/* SPDX-License-Identifier: MIT
 *
 * Everything that is wrong is answered with one sentence that says what would be right.
 */
#include "cli/image/options.h"

#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/image/forks.h"

static const char help[] =
    "warmfork image [OPTIONS] MODULE\n"
    "\n"
    "Loads the image that the shared object MODULE declares, and reports what it costs, how long\n"
    "a fork of it takes, what the biggest obstacle to a faster one is, and what to do about it.\n"
    "\n"
    "  --argument TEXT       what the preload hook is given\n"
    "  --waive WHAT[,WHAT]   findings of the audit that do not refuse the image: threads,\n"
    "                        descriptors, locks, timers, signals, children\n"
    "  --freeze WHEN         auto (if it pays; the default), always, never\n"
    "  --forks N             workers to fork before the pages that the zygote has written to are\n"
    "                        counted, rounded up to a multiple of 256; 256 by default; 0: none\n"
    "  --preload-timeout MS  how long the preload may take; 60000 by default\n"
    "  --json                the report as JSON\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0, 1 if the image cannot be used, 2 if the command line makes no sense.\n";

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

__attribute__((format(printf, 1, 2))) static bool complain(const char *format, ...) {
	va_list arguments;

	(void)fputs("warmfork image: ", stderr);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fputs("; `warmfork help image` tells more\n", stderr);
	return false;
}

/* --- values -------------------------------------------------------------------------------- */

static bool parse_number(const char *option, const char *text, unsigned most, unsigned *ret) {
	uint64_t value = 0;
	size_t n = strspn(text, "0123456789");

	for (size_t i = 0; i < n && value <= most; i++)
		value = value * 10 + (uint64_t)(text[i] - '0');
	if (n == 0 || text[n] != '\0' || value > most)
		return complain("--%s takes a number from 0 to %u, not \"%s\"", option, most, text);
	*ret = (unsigned)value;
	return true;
}

static bool parse_waive(const char *text, unsigned *flags) {
	for (;;) {
		size_t size = strcspn(text, ","), i = 0;

		while (i < N_WAIVERS && (strlen(waivers[i].word) != size ||
					 memcmp(waivers[i].word, text, size) != 0))
			i++;
		if (i == N_WAIVERS)
			return complain("--waive takes threads, descriptors, locks, timers, "
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
	return complain("--freeze takes auto, always or never, not \"%s\"", text);
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
	OPTION_ARGUMENT = 256, /* beyond all characters: none has a short form */
	OPTION_WAIVE,
	OPTION_FREEZE,
	OPTION_FORKS,
	OPTION_PRELOAD_TIMEOUT,
	OPTION_JSON,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option known[] = {
	{ "argument", required_argument, NULL, OPTION_ARGUMENT },
	{ "waive", required_argument, NULL, OPTION_WAIVE },
	{ "freeze", required_argument, NULL, OPTION_FREEZE },
	{ "forks", required_argument, NULL, OPTION_FORKS },
	{ "preload-timeout", required_argument, NULL, OPTION_PRELOAD_TIMEOUT },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* False: wrong. Sets *ret_over if it was all that was asked for. */
static bool take_option(int option, char **argv, struct image_options *ret, bool *ret_over) {
	switch (option) {
	case OPTION_ARGUMENT:
		ret->argument = optarg;
		return true;
	case OPTION_WAIVE:
		return parse_waive(optarg, &ret->waive);
	case OPTION_FREEZE:
		return parse_freeze(optarg, &ret->freeze);
	case OPTION_FORKS:
		return parse_number("forks", optarg, FORKS_MAX, &ret->forks);
	case OPTION_PRELOAD_TIMEOUT:
		return parse_timeout("preload-timeout", optarg, &ret->preload_timeout_ms);
	case OPTION_JSON:
		ret->json = true;
		return true;
	case OPTION_HELP:
		(void)fputs(help, stdout);
		*ret_over = true;
		return true;
	case OPTION_VERSION:
		(void)printf("warmfork %s\n", wf_version());
		*ret_over = true;
		return true;
	case ':':
		return complain("%s takes a value", argv[optind - 1]);
	default:
		return complain("%s is no option of this command, or has a value too many",
				argv[optind - 1]);
	}
}

static bool take_module(int argc, char **argv, struct image_options *ret) {
	if (optind == argc)
		return complain("which module? Give the path of a shared object");
	if (optind + 1 < argc)
		return complain("one module at a time, not also \"%s\"", argv[optind + 1]);
	ret->module = argv[optind];
	return true;
}

bool image_options_parse(int argc, char **argv, struct image_options *ret,
			 enum command_status *ret_status) {
	bool over = false;
	int option;

	*ret = (struct image_options){ .forks = FORKS_COUNTED };
	*ret_status = COMMAND_USAGE;
	while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (!take_option(option, argv, ret, &over))
			return false;
		if (over) {
			*ret_status = COMMAND_OK;
			return false;
		}
	}
	ret->forks = (ret->forks + FORKS_COUNTED - 1) / FORKS_COUNTED * FORKS_COUNTED;
	return take_module(argc, argv, ret);
}

void image_options_waivers(const char *refusal, char *ret, size_t size) {
	size_t length = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < N_WAIVERS && length < size; i++)
		if (strstr(refusal, waivers[i].name))
			length += (size_t)snprintf(ret + length, size - length, "%s%s",
						   length > 0 ? "," : "", waivers[i].word);
}
