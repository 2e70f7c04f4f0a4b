// SPDX-License-Identifier: Apache-2.0
// The SAs of a mesh of 1,000 peers and both families: which they are, and a dump of them as the
// kernel writes it, for kernels without ESP.
#pragma once

#include <arpa/inet.h>
#include <linux/xfrm.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "model/facts/facts.h"
#include "sources/netlink/netlink_socket.h"
#include "sources/netlink/xfrm_parse.h"
#include "unit/netlink_message.h"

namespace espial::test {

inline constexpr int kPeers = 1000;
inline constexpr int kPoliciesPerPeer = 6;  // out, in and forward, both families
inline constexpr int kStatesPerPeer = 4;    // both directions, both families

inline std::string number(int peer) {
  return std::to_string(peer / 250) + "." + std::to_string(peer % 250);
}
inline std::string underlay(int peer) { return "10.46." + number(peer); }

struct Ends {
  std::string from;
  std::string to;
  std::uint32_t spi;
  std::uint32_t reqid;
};

inline Ends ends_of(int peer, int i) {
  const bool out = i % 2 == 0;
  const std::string own = "10.46.255.1";
  return {out ? own : underlay(peer), out ? underlay(peer) : own,
          static_cast<std::uint32_t>(0x10000 + peer * kStatesPerPeer + i),
          static_cast<std::uint32_t>(peer * 2 + (i < 2 ? 1 : 2))};
}

using Datagram = std::vector<std::uint8_t>;

inline xfrm_address_t raw(const std::string& text) {
  xfrm_address_t address{};
  address.a4 = ::inet_addr(text.c_str());
  return address;
}

// XFRM_MSG_NEWSA as copy_to_user_state_extra() of the kernel writes it for such an SA.
inline Datagram state_message(int peer, int i) {
  const auto ends = ends_of(peer, i);
  xfrm_usersa_info info{};
  info.family = AF_INET;
  info.saddr = raw(ends.from);
  info.id.daddr = raw(ends.to);
  info.id.spi = htonl(ends.spi);
  info.id.proto = 50;
  info.mode = XFRM_MODE_TUNNEL;
  info.reqid = ends.reqid;
  info.lft.soft_byte_limit = info.lft.hard_byte_limit = XFRM_INF;
  info.lft.soft_packet_limit = info.lft.hard_packet_limit = XFRM_INF;
  info.curlft.add_time = static_cast<std::uint64_t>(time(nullptr));
  std::vector<std::uint8_t> aead(sizeof(xfrm_algo_aead) + 20, 0x11);
  xfrm_algo_aead head{};
  std::snprintf(head.alg_name, sizeof head.alg_name, "rfc4106(gcm(aes))");
  head.alg_key_len = 160;
  head.alg_icv_len = 128;
  std::memcpy(aead.data(), &head, sizeof head);
  return message(XFRM_MSG_NEWSA, info,
                 Attributes()
                     .raw(XFRMA_ALG_AEAD, aead.data(), aead.size())
                     .value(XFRMA_REPLAY_VAL, xfrm_replay_state{}),
                 NLM_F_MULTI);
}

// A whole dump, in datagrams of the size that the kernel fills for a reader with room.
inline std::vector<Datagram> state_dump() {
  constexpr std::size_t kFull = 32 << 10;
  std::vector<Datagram> dump(1);
  for (int peer = 0; peer < kPeers; ++peer)
    for (int i = 0; i < kStatesPerPeer; ++i) {
      const auto message = state_message(peer, i);
      if (dump.back().size() + message.size() > kFull) dump.emplace_back();
      dump.back().insert(dump.back().end(), message.begin(), message.end());
    }
  return dump;
}

// As KernelWatch reads it, from what was received on.
inline void replay(const std::vector<Datagram>& dump, Datagram& buffer, KernelFacts& facts) {
  facts.states.clear();
  for (const auto& datagram : dump) {
    buffer.assign(datagram.begin(), datagram.end());  // the kernel's copy; reading wipes it
    consume(buffer, [&](const nlmsghdr& head, Bytes message) {
      if (head.nlmsg_type != XFRM_MSG_NEWSA) return;
      if (auto state = parse_state(message)) facts.states.push_back(std::move(*state));
    });
  }
}

}  // namespace espial::test
