/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * In which netfilter hook a packet was dropped, told by its route and devices:
 *   no route                   before one was looked up: PREROUTING, bridge or netdev
 *   input = ip_local_deliver   INPUT
 *   input = ip_forward         FORWARD while the packet is on the device it came by; the output
 *                              function has put it on the route's in POSTROUTING
 *   output = xfrm4_output      an XFRM bundle replaced the route, and moves the packet to no
 * device: one that came by a device is in FORWARD or POSTROUTING, one of this node in OUTPUT or
 * POSTROUTING output = ip_output         of this node, or ESP made of a forwarded packet: OUTPUT
 * until it is on the route's device An IPv6 route has one input function, whoever uses it: there a
 * packet without a device, or with an underlay of this node as its source, is of this node. Where a
 * packet leaves by the device that it came by, two hooks look alike.
 *
 * Functions are known by name: the kernel prints the symbol of an address (%ps), which needs no
 * readable /proc/kallsyms, and what it said is kept.
 */
#ifndef EP_HOOK_H
#define EP_HOOK_H

#include "dropped.h"

enum ep_route_function {
  EP_FN_OTHER = 1, /* 0 is "not asked yet" */
  EP_FN_FORWARD,
  EP_FN_DELIVER,
  EP_FN_OUTPUT,
  EP_FN_XFRM,
};

/* By address. Only functions of the kernel get in, so it stays small. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, __u64);
  __type(value, __u32);
} ep_functions SEC(".maps");

#define EP_SYMBOL_LEN 32
static const char ep_symbol_format[] = "%ps";

/* Is it exactly this name? A module's name follows behind a space. `length` is a constant. */
static __always_inline int ep_is_symbol(const char* symbol, const char* name, const int length) {
  __u8 differ = 0;
#pragma unroll
  for (int i = 0; i < length; i++) differ |= (__u8)(symbol[i] ^ name[i]);
  return !differ && (symbol[length] == 0 || symbol[length] == ' ');
}
#define EP_IS(symbol, name) ep_is_symbol(symbol, name, sizeof(name) - 1)

static __noinline __u32 ep_name_function(__u64 address) {
  char symbol[EP_SYMBOL_LEN] = {};
  __u64 argument = address;
  if (bpf_snprintf(symbol, sizeof(symbol), ep_symbol_format, &argument, sizeof(argument)) <= 0)
    return EP_FN_OTHER;
  if (EP_IS(symbol, "ip_forward") || EP_IS(symbol, "ip6_forward")) return EP_FN_FORWARD;
  if (EP_IS(symbol, "ip_local_deliver") || EP_IS(symbol, "ip6_input")) return EP_FN_DELIVER;
  if (EP_IS(symbol, "ip_output") || EP_IS(symbol, "ip6_output")) return EP_FN_OUTPUT;
  if (EP_IS(symbol, "xfrm4_output") || EP_IS(symbol, "xfrm6_output")) return EP_FN_XFRM;
  return EP_FN_OTHER;
}

static __always_inline __u32 ep_function(void* pointer) {
  const __u64 address = (__u64)pointer;
  const __u32* known = bpf_map_lookup_elem(&ep_functions, &address);
  if (known) return *known;
  const __u32 named = ep_name_function(address);
  bpf_map_update_elem(&ep_functions, &address, &named, BPF_ANY);
  return named;
}

static __always_inline __u32 ep_hook_of(const struct ep_dropped* drop) {
  if (!drop->dst) return EP_HOOK_PREROUTING;
  struct dst_entry* dst = drop->dst;
  struct net_device* out = drop->out;
  const __u32 input = ep_function(BPF_CORE_READ(dst, input));
  if (input == EP_FN_DELIVER) return EP_HOOK_INPUT;
  const __u32 output = ep_function(BPF_CORE_READ(dst, output));
  if (output == EP_FN_XFRM)
    return drop->dev ? EP_HOOK_FORWARD_OR_POSTROUTING : EP_HOOK_OUTPUT_OR_POSTROUTING;
  if (input != EP_FN_FORWARD && output != EP_FN_OUTPUT) return EP_HOOK_UNKNOWN;
  const int forwarded = input == EP_FN_FORWARD && drop->dev && !drop->of_node;
  if (drop->dev != out) return forwarded ? EP_HOOK_FORWARD : EP_HOOK_OUTPUT;
  /* On the route's device. Was it there from the start? */
  if (drop->iif != (__u32)BPF_CORE_READ(out, ifindex)) return EP_HOOK_POSTROUTING;
  return forwarded ? EP_HOOK_FORWARD_OR_POSTROUTING : EP_HOOK_OUTPUT_OR_POSTROUTING;
}

#endif /* EP_HOOK_H */
