/* SPDX-License-Identifier: MIT
 *
 * How a keeper hands descriptors and settings to a zygote that it starts.
 */
#pragma once

/* Where a zygote finds its descriptors. */
#define ZYGOTE_CONTROL  3
#define ZYGOTE_LIFELINE 4
#define ZYGOTE_OUTPUT   5 /* what the preload prints */

/* "3:NONCE"; removed by the zygote before any code of the image runs. */
#define ZYGOTE_VARIABLE "WARMFORK_ZYGOTE"

/* Spaces in argv that process_title() overwrites. */
#define TITLE_PADDING                                                                              \
	"                                                                                "         \
	"                    "
