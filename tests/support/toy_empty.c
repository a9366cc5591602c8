/* SPDX-License-Identifier: MIT
 *
 * Two modules that are none: one declares no functions, the other declares nothing.
 */
#include <warmfork/task.h>

#ifdef TOY_DECLARES
WF_MODULE(.functions = NULL);
#else
WF_EXPORT extern const int wf_nothing;
WF_EXPORT const int wf_nothing = 1;
#endif
