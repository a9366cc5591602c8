/* SPDX-License-Identifier: MIT
 *
 * The findings, and what they come to, for people and for programs.
 */
#pragma once

#include <stdio.h>

#include "cli/doctor/finding.h"

/* 0, -ENOMEM, or -EIO: `to` does not take it. */
int doctor_print(const struct findings *findings, FILE *to);
int doctor_print_json(const struct findings *findings, FILE *to);
