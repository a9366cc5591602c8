/* SPDX-License-Identifier: MIT
 *
 * The table that a module declares is checked once, so that its users can rely on it.
 */
#include "zygote/image.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

_Static_assert(LIMIT_FUNCTIONS == WF_MAX_FUNCTIONS, "the public limit is the protocol's");

static bool names_contain(const struct image *image, const char *name) {
	for (size_t i = 0; i < image->n_functions; i++)
		if (strcmp(image->functions[i], name) == 0)
			return true;
	return false;
}

/* Returns NULL, or what is wrong with entry number image->n_functions. */
static const char *entry_check(const struct image *image, const struct wf_function_entry *entry) {
	if (image->n_functions == LIMIT_FUNCTIONS)
		return "more than 256 functions";
	if (entry->name[0] == '\0')
		return "a function with an empty name";
	if (strlen(entry->name) >= LIMIT_NAME)
		return "a function's name longer than 127 bytes";
	if (!entry->function)
		return "a name without a function";
	if (names_contain(image, entry->name))
		return "two functions of one name";
	return NULL;
}

/* The size in version 0.1. It never changes: see executor/known.h. */
#define MODULE_SIZE_FIRST ((size_t)40)
#define MODULE_SIZE_MAX   ((size_t)4096)
_Static_assert(MODULE_SIZE_FIRST == offsetof(struct wf_module, functions) + sizeof(void *),
	       "the size of 0.1 must not change");

/* Copies as much as both its header and ours declare; the rest is zero. */
static const char *module_take(const struct wf_module *given, struct wf_module *ret) {
	const unsigned char *bytes = (const unsigned char *)given;

	if (!given)
		return "no declaration: it is NULL";
	if (given->size < MODULE_SIZE_FIRST || given->size > MODULE_SIZE_MAX)
		return "an impossible size: set .size = sizeof(struct wf_module)";
	for (size_t i = sizeof *ret; i < given->size; i++)
		if (bytes[i])
			return "a member set that this library does not know, because it was "
			       "built for a newer one";
	memset(ret, 0, sizeof *ret);
	memcpy(ret, given, given->size < sizeof *ret ? given->size : sizeof *ret);
	ret->size = sizeof *ret;
	return NULL;
}

static const char *module_check(struct image *image, const struct wf_module *module) {
	if (!module->functions || !module->functions[0].name)
		return "no functions";
	for (const struct wf_function_entry *entry = module->functions; entry->name; entry++) {
		const char *wrong = entry_check(image, entry);

		if (wrong)
			return wrong;
		image->functions[image->n_functions++] = entry->name;
	}
	return NULL;
}

int image_set_module(struct image *image, const struct wf_module *module, char *text,
		     size_t text_size) {
	const char *wrong;

	image->n_functions = 0;
	wrong = module_take(module, &image->module);
	if (!wrong)
		wrong = module_check(image, &image->module);
	if (wrong) {
		(void)snprintf(text, text_size,
			       "its struct wf_module has %s: see <warmfork/task.h>", wrong);
		return error_origin(-EINVAL);
	}
	return 0;
}
