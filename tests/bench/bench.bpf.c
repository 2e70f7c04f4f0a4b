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
__u8 bench_header[BENCH_HEADER] = {};

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u32));
} bench_next SEC(".maps");

SEC("tc") int bench_empty(struct __sk_buff* skb) { return TC_ACT_UNSPEC; }

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
 * forwarding has changed. */
SEC("xdp") int bench_send(struct xdp_md* ctx) {
  void* data = (void*)(long)ctx->data;
  if (data + BENCH_HEADER > (void*)(long)ctx->data_end) return XDP_ABORTED;
  __builtin_memcpy(data, bench_header, BENCH_HEADER);
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
