/* SPDX-License-Identifier: MIT
 *
 * RTLD_NOW makes a missing symbol refuse the image instead of killing a worker. Without RTLD_LOCAL,
 * two modules of a process could not both export `wf_module`. The file is opened before it is
 * loaded, so that detaching can tell whether it is still the file that was loaded.
 */
#include "zygote/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/error.h"
#include "base/fd.h"
#include "zygote/detach.h"

int module_load(const char *path, const struct log *log, struct image *image, const char **ret_step,
		char *text, size_t text_size) {
	cleanup_close int file = open(path, O_RDONLY | O_CLOEXEC);
	const struct wf_module *module;
	void *handle;

	*ret_step = "open";
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		(void)snprintf(text, text_size, "the module cannot be loaded: %s", dlerror());
		return error_origin(file < 0 ? -ENOENT : -ENOEXEC);
	}
	*ret_step = "module";
	module = dlsym(handle, "wf_module");
	if (!module) {
		(void)snprintf(text, text_size,
			       "%s does not export wf_module: declare it with WF_MODULE() of "
			       "<warmfork/task.h>",
			       path);
		return error_origin(-ENOEXEC);
	}
	if (file >= 0)
		module_detach(handle, file, log);
	return error_trace(image_set_module(image, module, text, text_size));
}
