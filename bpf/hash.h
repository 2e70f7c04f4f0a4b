/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hashes and masks of the peer table: user space builds with them what the programs probe.
 * Arguments are in host order; user space picks the seed. C and C++.
 */
#ifndef EP_HASH_H
#define EP_HASH_H

#include <linux/types.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define EP_HASH_MULTIPLIER 0x9e3779b97f4a7c15ULL

static __always_inline __u32 ep_hash4(__u32 addr, __u32 plen, __u32 seed) {
  __u64 x = ((__u64)plen << 32 | addr) ^ seed;
  return (__u32)((x * EP_HASH_MULTIPLIER) >> 32);
}

static __always_inline __u32 ep_hash6(__u64 hi, __u64 lo, __u32 plen, __u32 seed) {
  __u64 x = (hi ^ seed) * EP_HASH_MULTIPLIER;
  x ^= x >> 29;
  x = (x ^ lo ^ plen) * EP_HASH_MULTIPLIER;
  return (__u32)(x >> 32);
}

static __always_inline __u32 ep_hash_vlan(__u32 ifindex, __u32 vid) {
  return (__u32)((((__u64)ifindex << 12 | vid) * EP_HASH_MULTIPLIER) >> 32);
}

static __always_inline __u32 ep_hash_spi(__u32 spi) {
  return (__u32)((spi * EP_HASH_MULTIPLIER) >> 32);
}

static __always_inline __u32 ep_mask4(__u32 addr, __u32 plen) {
  return plen ? addr & ~0u << (32 - (plen & 63)) : 0;
}

static __always_inline __u64 ep_mask_hi(__u64 hi, __u32 plen) {
  return plen >= 64 ? hi : plen ? hi & ~0ULL << (64 - plen) : 0;
}

static __always_inline __u64 ep_mask_lo(__u64 lo, __u32 plen) {
  return plen >= 128 ? lo : plen > 64 ? lo & ~0ULL << (128 - plen) : 0;
}

#endif /* EP_HASH_H */
