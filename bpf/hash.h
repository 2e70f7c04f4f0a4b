/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hashes and masks of the peer table: user space builds with them what the programs look up.
 * Arguments are in host order; user space picks the seed. C and C++.
 *
 * Perfect hashing by displacement (Belazzougui, Botelho, Dietzfelbinger: Hash, displace, and
 * compress, 2009): a hash picks a bucket, the bucket's displacement moves its keys to free slots.
 */
#ifndef EP_HASH_H
#define EP_HASH_H

#include <linux/types.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define EP_HASH_MULTIPLIER 0x9e3779b97f4a7c15ULL

/* The low bits of a product depend on the low bits of its factors alone, and subnets end in
 * zeros: every multiplication is followed by a shift that brings its upper half down. */
static __always_inline __u64 ep_hash(__u64 hi, __u64 lo, __u32 plen, __u32 seed) {
  __u64 x = (hi ^ seed) * EP_HASH_MULTIPLIER;
  x ^= x >> 32 ^ lo ^ plen;
  x *= EP_HASH_MULTIPLIER;
  x ^= x >> 32;
  x *= EP_HASH_MULTIPLIER;
  return x ^ x >> 32;
}

/* Which of `slots` / 2 displacements a hash uses, and which of `slots` slots it then means. `slots`
 * is a power of two. */
static __always_inline __u32 ep_bucket(__u64 hash, __u32 slots) {
  return (__u32)(hash >> 44) & (slots / 2 - 1);
}

static __always_inline __u32 ep_slot_index(__u64 hash, __u32 displacement, __u32 slots) {
  return ((__u32)hash + displacement * ((__u32)(hash >> 32) | 1)) & (slots - 1);
}

static __always_inline __u32 ep_hash_vlan(__u32 ifindex, __u32 vid, __u32 seed) {
  return (__u32)(((((__u64)ifindex << 12 | vid) ^ seed) * EP_HASH_MULTIPLIER) >> 32);
}

static __always_inline __u32 ep_hash_spi(__u32 spi, __u32 seed) {
  return (__u32)(((spi ^ seed) * EP_HASH_MULTIPLIER) >> 32);
}

static __always_inline __u64 ep_mask_hi(__u64 hi, __u32 plen) {
  return plen >= 64 ? hi : plen ? hi & ~0ULL << (64 - plen) : 0;
}

static __always_inline __u64 ep_mask_lo(__u64 lo, __u32 plen) {
  return plen >= 128 ? lo : plen > 64 ? lo & ~0ULL << (128 - plen) : 0;
}

/* An SA of ESP as one word, never 0. Of one destination no two SPIs have the same. */
static inline __u64 ep_hash_sa(__u64 hi, __u64 lo, __u32 spi) {
  __u64 hash = (hi * EP_HASH_MULTIPLIER ^ lo) * EP_HASH_MULTIPLIER;
  hash ^= hash >> 32;
  hash += (__u64)spi * EP_HASH_MULTIPLIER;
  return hash ? hash : 1;
}
static inline __u32 ep_sa_bucket_of(__u64 fingerprint, __u32 buckets) {
  return (__u32)(fingerprint >> 32) & (buckets - 1);
}

#endif /* EP_HASH_H */
