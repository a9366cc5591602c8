/* SPDX-License-Identifier: MIT
 *
 * The modes of host_more.c in which a host closes descriptors that it does not know, or waits
 * beside a thread that is busy.
 */
#pragma once

int host_closes_all_descriptors(void);
int host_reuses_the_numbers(void);
int host_loses_a_descriptor(void);
int host_has_a_descriptor_replaced(void);
int host_closes_as_it_submits(void);
int host_closes_when_idle(void);
int host_closes_beside_a_map(void);
int host_closes_as_it_drives(void);
int host_waits_for_one_task(void);
