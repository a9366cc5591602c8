/* SPDX-License-Identifier: MIT
 *
 * Every limit that one process imposes on what another sends. PROTOCOL.md refers to these names;
 * those that are also public (WF_MAX_...) are repeated here so that static assertions can compare
 * them.
 */
#pragma once

#include <stddef.h>

/* A frame must fit into the smallest send buffer that an ordinary user gets: net.core.wmem_default
 * is 212,992 bytes, of which one SEQPACKET frame can use 212,960. */
#define LIMIT_FRAME ((size_t)65536)

/* SCM_MAX_FD is 253; a batch of spawns carries one descriptor each. */
#define LIMIT_FRAME_DESCRIPTORS 128
#define LIMIT_SPAWN_BATCH       64

/* Larger payloads travel in a memfd. This costs as much as copying several times as many bytes, so
 * it is the frame that sets the limit. The rest of a frame is for the other fields, and for a
 * context. */
#define LIMIT_INLINE_PAYLOAD        ((size_t)61440)
#define LIMIT_INLINE_BESIDE_CONTEXT ((size_t)15360)
#define LIMIT_INLINE_BESIDE_TEXT    ((size_t)57344) /* for a result that has a LIMIT_TEXT as well */
#define LIMIT_PAYLOAD               ((size_t)1 << 40)
#define LIMIT_PRELOAD_ARGUMENT      ((size_t)32768)
#define LIMIT_TASKS_PER_FRAME       32
#define LIMIT_HAND_AHEAD            32

#define LIMIT_WORKERS    8192 /* cells of one zygote: running workers and spares */
#define LIMIT_FUNCTIONS  256
#define LIMIT_NAME       128 /* a function's name with its NUL */
#define LIMIT_IMAGE_NAME 256 /* an image's name in titles, with its NUL; any file name fits */
#define LIMIT_NONCE      33  /* 32 hexadecimal digits and a NUL */
#define LIMIT_PATH       4096
/* An argument of a keeper that needs no guard (executor/one_shot.h). */
#define KEEPER_ALONE "alone"

#define LIMIT_TEXT     4096 /* messages of failures, findings */
#define LIMIT_FINDINGS 32

#define LIMIT_ENVIRONMENT_STRINGS 1024
#define LIMIT_CONTEXT             ((size_t)49152) /* packed: a task's environment and so on */
#define LIMIT_TASK_DESCRIPTORS    64
#define LIMIT_RLIMITS             16
#define LIMIT_CPUS                1024

#define LIMIT_KEEPER_ZYGOTES 16    /* generations of one keeper that may be alive */
#define LIMIT_PRELOAD_OUTPUT 65536 /* bytes kept */
#define LIMIT_STACK_TEXT     2048
#define LIMIT_DEPTH          10
#define LIMIT_SPIN_US        1000

/* Versions of the protocol that this code speaks. */
#define PROTOCOL_VERSION_MIN 1
#define PROTOCOL_VERSION_MAX 1
