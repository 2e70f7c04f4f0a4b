// SPDX-License-Identifier: Apache-2.0
// XFRM netlink messages to facts (include/uapi/linux/xfrm.h, net/xfrm/xfrm_user.c).
//
// Pure functions over one message, netlink header included; nothing = too short, contradicting
// itself, or no fact for us. Keys are never copied: only names and lengths of algorithms are read.
// The caller wipes the buffer that the kernel filled.
#pragma once

#include <optional>

#include "model/facts/facts.h"
#include "sources/netlink/netlink_attributes.h"

namespace espial {

// XFRM_MSG_NEWPOLICY. Per-socket policies (directions above forward) and what an espial placed
// itself (backstop_socket.h) are no facts. Of several templates the addresses come from the first
// in tunnel mode, the rest from the ESP (else AH) one.
std::optional<XfrmPolicyFact> parse_policy(Bytes message);

// XFRM_MSG_NEWSA.
std::optional<XfrmStateFact> parse_state(Bytes message);

// XFRM_MSG_GETDEFAULT, the kernel's answer.
std::optional<XfrmDefaults> parse_defaults(Bytes message);

}  // namespace espial
