/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the bench and its BPF programs share. */
#ifndef ESPIAL_BENCH_SHARED_H
#define ESPIAL_BENCH_SHARED_H

#include <linux/types.h>

#define BENCH_WORDS 8     /* of 8 bytes: a frame */
#define BENCH_CHECKSUM 24 /* of IPv4 behind Ethernet */

/* Which word of a frame becomes base + stride * (a random number below count). */
struct bench_vary {
  __u32 offset; /* of a 32-bit big-endian word, below 64 */
  __u32 base;
  __u32 stride;
  __u32 count;
  __u32 state; /* of the generator */
  __u32 ipv4;  /* has a header checksum */
};

#endif /* ESPIAL_BENCH_SHARED_H */
