/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The SA mirror: keeps the map ep_sas equal to this network namespace's SAs of ESP. It runs where
 * the kernel takes an SA into the SAD, before any packet can use it, and where it takes it out; so
 * a rekey is never late, whether a daemon is there or not.
 *
 * net/xfrm/xfrm_state.c: xfrm_state_add and xfrm_state_update are what XFRM_MSG_NEWSA and UPDSA
 * come to, xfrm_state_insert serves migration; every way out ends in __xfrm_state_delete. An SA
 * whose SPI is only reserved (XFRM_STATE_ACQ) makes way for the real one with the same SPI: its end
 * says nothing. Numbers of structs come from the kernel's BTF at load (CO-RE).
 */
#include <linux/bpf.h>
/* linux/bpf.h first: the helpers' prototypes need its types. */
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "hash.h"
#include "shared_maps.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ns_common {
  unsigned int inum;
};
struct net {
  struct ns_common ns;
};
typedef struct {
  struct net* net;
} possible_net_t;
typedef union {
  __be32 a4;
  __be32 a6[4];
} xfrm_address_t;
struct xfrm_id {
  xfrm_address_t daddr;
  __be32 spi;
  __u8 proto;
};
struct xfrm_state {
  possible_net_t xs_net;
  struct xfrm_id id;
  struct {
    __u8 state;
  } km;
  struct {
    __u16 family;
  } props;
};
#pragma clang attribute pop

#define EP_PROTO_ESP 50
#define EP_AF_INET 2
#define EP_XFRM_STATE_VALID 2 /* enum of include/net/xfrm.h; below it: no keys yet */

const volatile __u32 ep_netns = 0;
const volatile __u32 ep_sa_buckets = 1;

static __always_inline __u64 ep_word(const __be32* words) {
  return (__u64)bpf_ntohl(words[0]) << 32 | bpf_ntohl(words[1]);
}

/* Returns 0 when the SA is none of ours. *key is zero before. */
static __always_inline int ep_key_of(struct xfrm_state* x, struct ep_sa_key* key) {
  if (x->id.proto != EP_PROTO_ESP || !x->id.spi || x->xs_net.net->ns.inum != ep_netns) return 0;
  const __be32 words[4] = {x->id.daddr.a6[0], x->id.daddr.a6[1], x->id.daddr.a6[2],
                           x->id.daddr.a6[3]};
  key->spi = bpf_ntohl(x->id.spi);
  if (x->props.family == EP_AF_INET) {
    key->hi = ~0ULL;
    key->lo = (__u64)bpf_ntohl(words[0]) << 32;
  } else {
    key->hi = ep_word(words);
    key->lo = ep_word(words + 2);
  }
  return 1;
}

/* Where the SA's fingerprint is, or a free place; NULL: there is none. */
static __always_inline __u64* ep_place_of(__u64 fingerprint, int free) {
  struct ep_sa_bucket* bucket =
      ep_element(&ep_sa_index, ep_sa_bucket_of(fingerprint, ep_sa_buckets));
  if (!bucket) return NULL;
  for (int i = 0; i < EP_SA_BUCKET; i++)
    if (bucket->sas[i] == fingerprint) return &bucket->sas[i];
  for (int i = 0; free && i < EP_SA_BUCKET; i++)
    if (!bucket->sas[i]) return &bucket->sas[i];
  return NULL;
}

static __always_inline void ep_index(const struct ep_sa_key* key) {
  const __u64 fingerprint = ep_hash_sa(key->hi, key->lo, key->spi);
  /* Another CPU may be faster: the next place then. */
  for (int i = 0; i < EP_SA_BUCKET; i++) {
    __u64* place = ep_place_of(fingerprint, 1);
    if (!place || *place == fingerprint) return;
    if (!__sync_val_compare_and_swap(place, 0, fingerprint)) return;
  }
}

static __always_inline void ep_unindex(const struct ep_sa_key* key) {
  const __u64 fingerprint = ep_hash_sa(key->hi, key->lo, key->spi);
  __u64* place = ep_place_of(fingerprint, 0);
  if (place) __sync_val_compare_and_swap(place, fingerprint, 0);
}

static __always_inline int ep_enters(struct xfrm_state* x) {
  struct ep_sa_key key = {};
  const ep_sa_gone_t here = 0, lost = 1;
  if (!ep_key_of(x, &key)) return 0;
  ep_index(&key);
  if (!bpf_map_update_elem(&ep_sas, &key, &here, BPF_ANY)) return 0;
  const struct ep_sa_key incomplete = {};
  bpf_map_update_elem(&ep_sas, &incomplete, &lost, BPF_EXIST);
  return 0;
}

/* The first argument of each function is the SA. */
SEC("fentry/xfrm_state_add") int ep_sa_add(__u64* arguments) {
  return ep_enters((struct xfrm_state*)arguments[0]);
}
SEC("fentry/xfrm_state_update") int ep_sa_update(__u64* arguments) {
  return ep_enters((struct xfrm_state*)arguments[0]);
}
SEC("fentry/xfrm_state_insert") int ep_sa_insert(__u64* arguments) {
  return ep_enters((struct xfrm_state*)arguments[0]);
}

SEC("fentry/__xfrm_state_delete") int ep_sa_delete(__u64* arguments) {
  struct xfrm_state* x = (struct xfrm_state*)arguments[0];
  struct ep_sa_key key = {};
  if (x->km.state < EP_XFRM_STATE_VALID || !ep_key_of(x, &key)) return 0;
  const ep_sa_gone_t gone = bpf_ktime_get_ns();
  bpf_map_update_elem(&ep_sas, &key, &gone, BPF_EXIST);
  ep_unindex(&key);
  return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
