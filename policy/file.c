/* SPDX-License-Identifier: MIT
 *
 * Policy files. They use only the parts of YAML that a policy needs: mappings, lists, scalars.
 * Anchors and tags are refused, because a file with them may not mean what it seems to.
 *
 * They are read by events, not as a tree: the first mistake ends the reading where it is, so
 * endless nesting or repetition is never held in memory. Every scalar is text: the key decides
 * whether it is a number, and what "no" means. The preset is applied last, because keys may come in
 * any order.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "base/fd.h"
#include "base/report.h"
#include "policy/add.h"
#include "policy/compose.h"
#include "policy/document.h"
#include "policy/preset.h"

#define LIMIT_FILE ((size_t)64 * 1024)
#define SHOWN      64 /* how much of a word a sentence quotes */

struct reader {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	const char *text;   /* the whole text, to count lines in */
	const char *name, *directory;
	struct wf_policy *policy;
	enum policy_preset preset;
	unsigned lines[N_KEYS]; /* the line of each key; 0: not seen yet */
	unsigned limits_line;
};

static unsigned line_of(const struct reader *reader) {
	return (unsigned)reader->event.start_mark.line + 1;
}

/* For a mistake that has no key. */
#define refuse_at(reader, line, format, ...)                                                       \
	report_error(-EINVAL, "%s:%u: " format, (reader)->name, (line), ##__VA_ARGS__)
#define refuse(reader, format, ...) refuse_at((reader), line_of(reader), format, ##__VA_ARGS__)

static int refuse_key(const struct reader *reader, enum policy_key key, const char *sentence) {
	const struct value_place place = { reader->name, line_of(reader), reader->directory };

	return value_refuse(&(struct value){ &place, key, "" }, -EINVAL, "%s", sentence);
}

/* --- events --- */

static int refuse_yaml(const struct reader *reader) {
	const yaml_parser_t *parser = &reader->parser;
	unsigned line = (unsigned)parser->problem_mark.line + 1;

	if (parser->error == YAML_MEMORY_ERROR)
		return report_internal(-ENOMEM, "reading a policy");
	if (parser->error == YAML_READER_ERROR) { /* this has an offset instead of a mark */
		line = 1;
		for (size_t i = 0; i < parser->problem_offset; i++)
			line += reader->text[i] == '\n';
	}
	return refuse_at(reader, line, "this is not valid YAML (%s); %s",
			 parser->problem ? parser->problem : "it cannot be read",
			 parser->error == YAML_READER_ERROR
			     ? "write it as text in UTF-8"
			     : "indent by spaces, not by tabs; close brackets and quotes; "
			       "quote values that have special characters in them");
}

static bool is_decorated(const yaml_event_t *event) {
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return true;
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor || event->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor || event->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor || event->data.mapping_start.tag;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
	default:
		return false;
	}
}

static int next(struct reader *reader) {
	yaml_event_delete(&reader->event);
	if (!yaml_parser_parse(&reader->parser, &reader->event))
		return refuse_yaml(reader);
	if (is_decorated(&reader->event))
		return refuse(reader, "anchors, aliases and tags (&, *, !) are not allowed in "
				      "policies; write the value itself, or quote it");
	return 0;
}

/* Returns the text of a scalar; NULL: it is something else, or contains a NUL. */
static const char *word_of(const struct reader *reader) {
	const yaml_event_t *event = &reader->event;
	const char *text = (const char *)event->data.scalar.value;

	if (event->type != YAML_SCALAR_EVENT || strlen(text) != event->data.scalar.length)
		return NULL;
	return text;
}

/* "read:" with nothing after it, which is not the same as "". */
static bool is_nothing(const struct reader *reader) {
	return reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       reader->event.data.scalar.length == 0;
}

/* --- values --- */

static int put_preset(struct reader *reader, const char *word) {
	int preset = preset_find(word);

	if (preset < 0)
		return refuse(reader, "preset: \"%.*s\" is not one of pure, stage, tests", SHOWN,
			      word);
	reader->preset = (enum policy_preset)preset;
	return 0;
}

static int put_word(struct reader *reader, enum policy_key key) {
	const struct value_place place = { reader->name, line_of(reader), reader->directory };
	const char *word = word_of(reader);

	if (!word)
		return refuse_key(reader, key,
				  reader->event.type == YAML_SCALAR_EVENT
				      ? "has a zero byte in its value; leave it out"
				      : "a list has single values, no lists or mappings; "
					"write [one, two]");
	if (is_nothing(reader))
		return refuse_key(reader, key, "has no value; write one, or leave the key out");
	if (key == KEY_PRESET)
		return put_preset(reader, word);
	return add_value(reader->policy, &(struct value){ &place, key, word });
}

static bool is_of_layers(enum policy_key key) {
	return key == KEY_NAMESPACES || key == KEY_LAYERS;
}

static int read_list(struct reader *reader, enum policy_key key) {
	const struct value_place place = { reader->name, line_of(reader), reader->directory };
	size_t n = 0;
	int r;

	if (!key_is_list(key))
		return refuse_key(reader, key, "takes one value, not a list");
	r = next(reader);
	for (; r == 0 && reader->event.type != YAML_SEQUENCE_END_EVENT; n++) {
		r = put_word(reader, key);
		if (r == 0)
			r = next(reader);
	}
	if (r == 0 && n == 0 && is_of_layers(key))
		return add_value(reader->policy, &(struct value){ &place, key, "none" });
	return r;
}

/* On entry the event is the value's first; on return, its last. */
static int read_value(struct reader *reader, enum policy_key key) {
	if (reader->event.type == YAML_SEQUENCE_START_EVENT)
		return read_list(reader, key);
	if (reader->event.type == YAML_MAPPING_START_EVENT)
		return refuse_key(reader, key,
				  key_is_list(key)
				      ? "takes a list of values, not a mapping; write [one, two]"
				      : "takes one value, not a mapping");
	return put_word(reader, key);
}

/* --- keys --- */

static int check_again(struct reader *reader, enum policy_key key) {
	const struct value_place place = { reader->name, line_of(reader), reader->directory };
	unsigned before = reader->lines[key];

	reader->lines[key] = line_of(reader);
	if (!before)
		return 0;
	return value_refuse(
	    &(struct value){ &place, key, "" }, -EINVAL, "stands on line %u already; %s", before,
	    key_is_list(key) ? "write all values there: [one, two]" : "keep one of them");
}

/* Finds the key that a word names; `group` as in key_nearest(). */
static int find_key(struct reader *reader, const char *group) {
	const char *word = word_of(reader);
	char name[SHOWN];
	int found;

	if (!word)
		return refuse(reader, "a key is a word, such as preset, read or limits");
	if (!*group && strncmp(word, KEY_LIMITS, strlen(KEY_LIMITS)) == 0)
		return refuse(reader,
			      "\"%.*s\" stands below \"limits:\" in a file, on a line of its "
			      "own, as \"%.*s:\"",
			      SHOWN, word, SHOWN, word + strlen(KEY_LIMITS));
	(void)snprintf(name, sizeof name, "%s%s", group, word);
	found = strlen(group) + strlen(word) < sizeof name ? key_find(name) : -ENOENT;
	if (found >= 0)
		return found;
	(void)snprintf(name, sizeof name, KEY_LIMITS "%.*s", SHOWN / 2, word);
	if (!*group && key_find(name) >= 0)
		return refuse(reader, "\"%s\" is a limit; write it below \"limits:\"", word);
	return refuse(reader, "\"%.*s\" is no key of %s; did you mean %s?", SHOWN, word,
		      *group ? "limits" : "a policy", key_nearest(word, group));
}

static int read_pair(struct reader *reader, const char *group) {
	int key = find_key(reader, group), r = key < 0 ? key : 0;

	if (r == 0)
		r = check_again(reader, (enum policy_key)key);
	if (r == 0)
		r = next(reader);
	if (r == 0)
		r = read_value(reader, (enum policy_key)key);
	return r == 0 ? next(reader) : r;
}

static int read_limits(struct reader *reader) {
	unsigned before = reader->limits_line;
	int r;

	reader->limits_line = line_of(reader);
	if (before)
		return refuse(reader, "limits: stands on line %u already; write all limits there",
			      before);
	r = next(reader);
	if (r == 0 && reader->event.type != YAML_MAPPING_START_EVENT)
		return refuse(reader, "limits: takes a mapping; write a line for each limit below "
				      "it, indented: memory: 512M");
	if (r == 0)
		r = next(reader);
	while (r == 0 && reader->event.type != YAML_MAPPING_END_EVENT)
		r = read_pair(reader, KEY_LIMITS);
	return r == 0 ? next(reader) : r;
}

static int read_keys(struct reader *reader) {
	int r = next(reader);

	while (r == 0 && reader->event.type != YAML_MAPPING_END_EVENT) {
		const char *word = word_of(reader);

		if (word && strcmp(word, "limits") == 0)
			r = read_limits(reader);
		else
			r = read_pair(reader, "");
	}
	return r;
}

/* --- the whole --- */

#define FIRST_LINE "write \"preset: stage\", or pure, or tests"

static int read_document(struct reader *reader) {
	int r = next(reader); /* the start of the stream */

	if (r == 0)
		r = next(reader);
	if (r == 0 && reader->event.type == YAML_STREAM_END_EVENT)
		return refuse_at(reader, 1U, "preset: is missing; " FIRST_LINE);
	if (r == 0)
		r = next(reader);
	if (r == 0 && reader->event.type != YAML_MAPPING_START_EVENT)
		return refuse(reader,
			      "a policy is a mapping of keys to values; begin with: preset: "
			      "stage");
	if (r == 0)
		r = read_keys(reader);
	if (r == 0)
		r = next(reader); /* the end of the document */
	if (r == 0)
		r = next(reader);
	if (r == 0 && reader->event.type != YAML_STREAM_END_EVENT)
		return refuse(reader, "a policy is one document; begin another file");
	return r;
}

/* Checks that have to wait for the end. */
static int complete(struct reader *reader) {
	struct value_place place = { reader->name, reader->lines[KEY_PRESET], NULL };
	struct value value = { &place, KEY_PRESET, "" };
	const char *sentence;
	int r;

	if (!reader->preset)
		return refuse_at(reader, 1U, "preset: is missing; " FIRST_LINE);
	r = compose_preset(reader->policy, reader->preset);
	if (r == -E2BIG)
		return value_refuse(&value, r,
				    "together with the preset, the policy is too large; it may "
				    "have at most %d paths, %d variables, and %zu bytes of both",
				    LIMIT_POLICY_PATHS, LIMIT_POLICY_ENVIRONMENT,
				    LIMIT_POLICY_TEXT);
	if (r < 0)
		return report_internal(r, "reading a policy");
	document_settle(reader->policy);
	sentence = document_conflict(reader->policy, &value.key);
	place.line = reader->lines[value.key];
	return sentence ? value_refuse(&value, -EINVAL, "%s", sentence) : 0;
}

static int parse(const char *text, size_t size, const char *name, const char *directory,
		 struct wf_policy **ret) {
	struct reader reader = { .text = text, .name = name, .directory = directory };
	int r;

	if (size > LIMIT_FILE)
		return report_error(-E2BIG, "%s: a policy file has at most %zu bytes", name,
				    LIMIT_FILE);
	reader.policy = document_blank();
	if (!reader.policy || !yaml_parser_initialize(&reader.parser)) {
		wf_policy_free(reader.policy);
		return report_internal(-ENOMEM, "reading a policy");
	}
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
	r = read_document(&reader);
	if (r == 0)
		r = complete(&reader);
	yaml_event_delete(&reader.event);
	yaml_parser_delete(&reader.parser);
	if (r < 0)
		wf_policy_free(reader.policy);
	else
		*ret = reader.policy;
	return r;
}

int wf_policy_parse(const char *text, size_t size, const char *name, struct wf_policy **ret) {
	if (!text || !name || !ret)
		return report_error(-EINVAL, "wf_policy_parse(): text, name or ret is NULL");
	return parse(text, size, name, NULL, ret);
}

/* --- files --- */

static int refuse_file(const char *path, int error) {
	const char *why = strerrordesc_np(error);

	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return report_error(-ENOENT, "%s: there is no such policy file", path);
	case EACCES:
	case EPERM:
		return report_error(
		    -EACCES, "%s: there is no permission to read the policy file (%s)", path, why);
	case EISDIR:
	case ELOOP:
	case ENAMETOOLONG:
		return report_error(-EINVAL, "%s: this is no policy file (%s)", path, why);
	case ENOMEM:
		return report_internal(-ENOMEM, "reading a policy");
	default:
		return report_error(-EIO, "%s: the policy file cannot be read (%s)", path, why);
	}
}

/* Reads up to one byte more than the limit, which parse() reports. Returns 0 or -errno. */
static int read_file(const char *path, char *buffer, size_t *ret_size) {
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t size = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (n > 0 && size <= LIMIT_FILE) {
		n = TEMP_FAILURE_RETRY(read(fd, buffer + size, LIMIT_FILE + 1 - size));
		if (n < 0)
			return -errno;
		size += (size_t)n;
	}
	*ret_size = size;
	return 0;
}

/* Returns the directory that contains `path`; NULL: see errno. */
static char *directory_of(const char *path) {
	const char *slash = strrchr(path, '/');
	char *named = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	char *directory = named ? realpath(named, NULL) : NULL;

	free(named);
	return directory;
}

int wf_policy_load(const char *path, struct wf_policy **ret) {
	char *directory = NULL, *buffer;
	size_t size = 0;
	int r;

	if (!path || !ret)
		return report_error(-EINVAL, "wf_policy_load(): path or ret is NULL");
	buffer = malloc(LIMIT_FILE + 1);
	r = buffer ? read_file(path, buffer, &size) : -ENOMEM;
	if (r == 0) {
		directory = directory_of(path);
		r = directory ? 0 : -errno;
	}
	if (r < 0)
		r = refuse_file(path, -r);
	else
		r = parse(buffer, size, path, directory, ret);
	free(directory);
	free(buffer);
	return r;
}
