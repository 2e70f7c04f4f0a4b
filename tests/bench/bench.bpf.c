// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The bench's own programs: the empty one that everything is held against, the one that gives each
 * run of a frame another peer's address, and the packet generator. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
/* linux/bpf.h first: the helpers' prototypes need its types. */
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "shared.bpf.h"

struct bench_vary bench_vary = {};
__u32 bench_ifindex = 0;
__u64 bench_arrived = 0;
__u64 bench_header[BENCH_WORDS] = {};

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u32));
} bench_next SEC(".maps");

SEC("tc") int bench_empty(struct __sk_buff* skb) { return TC_ACT_UNSPEC; }
/* The ceilings of drop rates. */
SEC("tc") int bench_shot(struct __sk_buff* skb) { return TC_ACT_SHOT; }
SEC("xdp") int bench_xdp_drop(struct xdp_md* ctx) { return XDP_DROP; }

/* Writes one of bench_vary.count addresses into the frame and hands it to the program under test.
 */
SEC("tc") int bench_random(struct __sk_buff* skb) {
  void* data = (void*)(long)skb->data;
  void* end = (void*)(long)skb->data_end;
  bench_vary.state = bench_vary.state * 1664525 + 1013904223;
  const __u32 index = (__u32)((__u64)bench_vary.state * bench_vary.count >> 32);
  __u32* word = data + (bench_vary.offset & 0x3f);
  if ((void*)(word + 1) > end) return TC_ACT_SHOT;
  *word = bpf_htonl(bench_vary.base + index * bench_vary.stride);
  bpf_tail_call(skb, &bench_next, 0);
  return TC_ACT_SHOT;
}

/* Puts the frame on a device as if another host had sent it. Frames come back with the headers that
 * forwarding has changed. In words: bytes would cost more than what is measured. */
static __always_inline void bench_write(__u64* to) {
#pragma unroll
  for (int i = 0; i < BENCH_WORDS; i++) to[i] = bench_header[i];
}

SEC("xdp") int bench_send(struct xdp_md* ctx) {
  __u64* data = (void*)(long)ctx->data;
  if ((void*)(data + BENCH_WORDS) > (void*)(long)ctx->data_end) return XDP_ABORTED;
  bench_write(data);
  return bpf_redirect(bench_ifindex, 0);
}

/* The IPv4 header checksum once `from` became `to` (RFC 1624): hosts drop what has a wrong one. */
static __always_inline __u16 bench_checksum(__u16 old, __u32 from, __u32 to) {
  __u32 sum = (__u16)~old + (__u16)~from + (__u16) ~(from >> 16) + (__u16)to + (to >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (__u16) ~(sum + (sum >> 16));
}

/* The same from another address each time (bench_vary). */
SEC("xdp") int bench_send_any(struct xdp_md* ctx) {
  __u64* data = (void*)(long)ctx->data;
  __u32* word = (void*)data + (bench_vary.offset & 0x3f);
  __u16* checksum = (void*)data + BENCH_CHECKSUM;
  if ((void*)(data + BENCH_WORDS) > (void*)(long)ctx->data_end) return XDP_ABORTED;
  bench_write(data);
  bench_vary.state = bench_vary.state * 1664525 + 1013904223;
  const __u32 index = (__u32)((__u64)bench_vary.state * bench_vary.count >> 32);
  const __u32 address = bpf_htonl(bench_vary.base + index * bench_vary.stride);
  if ((void*)(word + 1) > (void*)(long)ctx->data_end) return XDP_ABORTED;
  if (bench_vary.ipv4) *checksum = bench_checksum(*checksum, *word, address);
  *word = address;
  return bpf_redirect(bench_ifindex, 0);
}

/* The far end: counts and drops. */
SEC("tc") int bench_drop(struct __sk_buff* skb) {
  bench_arrived++;
  return TC_ACT_SHOT;
}

/* Only there because a veth takes redirected frames when its peer has an XDP program. */
SEC("xdp") int bench_pass(struct xdp_md* ctx) { return XDP_PASS; }

char _license[] SEC("license") = "Dual BSD/GPL";
