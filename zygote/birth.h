/* SPDX-License-Identifier: MIT
 *
 * How a zygote comes into the world: what its keeper has put where.
 */
#pragma once

/* Where a zygote finds its descriptors. */
#define ZYGOTE_CONTROL  3
#define ZYGOTE_LIFELINE 4
#define ZYGOTE_OUTPUT   5 /* of the preload */

/* "3:NONCE"; removed by the zygote before any code of the image runs. */
#define ZYGOTE_VARIABLE "WARMFORK_ZYGOTE"

/* Spaces in argv, which process_title() writes over. */
#define TITLE_PADDING                                                                              \
	"                                                                                "         \
	"                    "
