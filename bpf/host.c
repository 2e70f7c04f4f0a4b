// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "host.h"

#include <string.h>

#include "judge.h"

struct ep_verdict ep_host_judge(const struct ep_table* table, const void* frame, __u32 captured,
                                __u32 length, __u32 how, __u16 vid, __u32 ifindex,
                                struct ep_packet* pkt) {
  struct ep_cursor cur = {
      .start = (void*)frame,
      .pos = (void*)frame,
      .end = (char*)frame + captured,
      .remaining = length,
  };
  memset(pkt, 0, sizeof(*pkt));
  pkt->vid = vid;
  ep_parse(&cur, pkt, how);
  return ep_judge(table, pkt, how & EP_HOW_TRANSMIT, ifindex);
}
