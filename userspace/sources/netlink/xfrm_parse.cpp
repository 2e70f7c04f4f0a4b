// SPDX-License-Identifier: Apache-2.0
#include "sources/netlink/xfrm_parse.h"

#include <arpa/inet.h>
#include <linux/udp.h>
#include <linux/xfrm.h>

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/protocols.h"
#include "sources/netlink/backstop_socket.h"
#include "sources/netlink/xfrm_address.h"

namespace espial {
namespace {

constexpr std::uint16_t kTcpEncapEspInTcp = 7;  // TCP_ENCAP_ESPINTCP, linux/udp.h
constexpr std::uint8_t kOffloadPacket = 4;      // XFRM_OFFLOAD_PACKET
constexpr std::size_t kMaxTemplates = 6;        // XFRM_MAX_DEPTH
constexpr std::uint16_t kStateCpu = 35;         // XFRMA_SA_PCPU, of newer headers
constexpr std::size_t kAlgorithmName = sizeof(xfrm_algo::alg_name);

// xfrm_algo, xfrm_algo_auth and xfrm_algo_aead all begin with the name; the key stays where it is.
std::string algorithm_name(Bytes payload) {
  return read_text(payload.subspan(0, std::min(payload.size(), kAlgorithmName)));
}

// Ciphers that leave the payload readable; rfc4543 is GMAC, which only authenticates.
bool is_null(std::string_view algorithm) {
  return algorithm.find("cipher_null") != std::string_view::npos ||
         algorithm.substr(0, 7) == "rfc4543";
}

bool transport(const xfrm_user_tmpl& tmpl) { return tmpl.mode == XFRM_MODE_TRANSPORT; }

void read_templates(Bytes payload, XfrmPolicyFact& policy) {
  std::vector<xfrm_user_tmpl> templates;
  while (templates.size() < kMaxTemplates) {
    const auto tmpl = read_as<xfrm_user_tmpl>(payload);
    if (!tmpl) break;
    templates.push_back(*tmpl);
    payload = payload.subspan(sizeof(xfrm_user_tmpl));
  }
  if (templates.empty()) return;
  const auto rank = [](const xfrm_user_tmpl& t) {
    return t.id.proto == kProtocolEsp ? 0 : t.id.proto == kProtocolAh ? 1 : 2;
  };
  const xfrm_user_tmpl* main = &templates.front();
  const xfrm_user_tmpl* outer = nullptr;
  for (const auto& tmpl : templates) {
    if (rank(tmpl) < rank(*main)) main = &tmpl;
    if (outer == nullptr && !transport(tmpl)) outer = &tmpl;
  }
  policy.has_template = true;
  policy.template_protocol = main->id.proto;
  policy.tunnel_mode = outer != nullptr;
  policy.level_use = main->optional != 0;
  policy.reqid = main->reqid;
  const auto& addresses = outer != nullptr ? *outer : *main;
  const auto family = family_of(addresses.family).value_or(policy.source.family());
  policy.template_source = from_xfrm(family, addresses.saddr);
  policy.template_destination = from_xfrm(family, addresses.id.daddr);
}

XfrmMark mark_of(Bytes payload) {
  const auto mark = read_as<xfrm_mark>(payload);
  return mark ? XfrmMark{mark->v, mark->m} : XfrmMark{};
}

PortMatch port_of(__be16 value, __be16 mask) { return {ntohs(value), ntohs(mask)}; }

std::uint64_t limit_of(std::uint64_t limit) { return limit == XFRM_INF ? 0 : limit; }

std::uint64_t wide(std::uint32_t high, std::uint32_t low) {
  return std::uint64_t{high} << 32 | low;
}

void read_lifetimes(const xfrm_usersa_info& info, XfrmStateFact& state) {
  const auto& lft = info.lft;
  state.soft = {limit_of(lft.soft_byte_limit), limit_of(lft.soft_packet_limit),
                lft.soft_add_expires_seconds, lft.soft_use_expires_seconds};
  state.hard = {limit_of(lft.hard_byte_limit), limit_of(lft.hard_packet_limit),
                lft.hard_add_expires_seconds, lft.hard_use_expires_seconds};
  state.bytes = info.curlft.bytes;
  state.packets = info.curlft.packets;
  state.added = info.curlft.add_time;
  state.used = info.curlft.use_time;
}

// xfrm_replay_state_esn without the bitmap behind it.
struct SequenceHead {
  std::uint32_t bitmap_length;
  std::uint32_t sent;
  std::uint32_t received;
  std::uint32_t sent_high;
  std::uint32_t received_high;
};
static_assert(offsetof(xfrm_replay_state_esn, oseq) == offsetof(SequenceHead, sent));
static_assert(offsetof(xfrm_replay_state_esn, seq_hi) == offsetof(SequenceHead, received_high));

// XFRMA_REPLAY_VAL or, for extended numbers and big windows, XFRMA_REPLAY_ESN_VAL.
void read_sequence(std::uint16_t type, Bytes payload, XfrmStateFact& state) {
  if (type == XFRMA_REPLAY_VAL) {
    if (const auto replay = read_as<xfrm_replay_state>(payload)) {
      state.sequence_sent = replay->oseq;
      state.sequence_received = replay->seq;
    }
  } else if (const auto esn = read_as<SequenceHead>(payload)) {
    state.sequence_sent = wide(esn->sent_high, esn->sent);
    state.sequence_received = wide(esn->received_high, esn->received);
  }
}

Encapsulation encapsulation_of(Bytes payload) {
  const auto encap = read_as<xfrm_encap_tmpl>(payload);
  if (!encap || encap->encap_type == 0) return Encapsulation::kNone;
  return encap->encap_type == kTcpEncapEspInTcp ? Encapsulation::kTcp : Encapsulation::kUdp;
}

}  // namespace

std::optional<XfrmPolicyFact> parse_policy(Bytes message) {
  const auto body = body_of<xfrm_userpolicy_info>(message);
  if (!body) return std::nullopt;
  const auto& info = body->fixed;
  const auto family = family_of(info.sel.family);
  if (!family || is_backstop(info)) return std::nullopt;
  XfrmPolicyFact policy;
  switch (info.dir) {
    case XFRM_POLICY_IN:
      policy.direction = PolicyDirection::kIn;
      break;
    case XFRM_POLICY_OUT:
      policy.direction = PolicyDirection::kOut;
      break;
    case XFRM_POLICY_FWD:
      policy.direction = PolicyDirection::kForward;
      break;
    default:
      return std::nullopt;
  }
  const auto source = from_xfrm(*family, info.sel.saddr, info.sel.prefixlen_s);
  const auto destination = from_xfrm(*family, info.sel.daddr, info.sel.prefixlen_d);
  if (!source || !destination) return std::nullopt;
  policy.source = *source;
  policy.destination = *destination;
  policy.protocol = info.sel.proto;
  policy.source_port = port_of(info.sel.sport, info.sel.sport_mask);
  policy.destination_port = port_of(info.sel.dport, info.sel.dport_mask);
  policy.selector_device = info.sel.ifindex;
  policy.priority = info.priority;
  policy.index = info.index;
  policy.added = info.curlft.add_time;
  policy.allow = info.action == XFRM_POLICY_ALLOW;
  for_each_attribute(body->attributes, [&](std::uint16_t type, Bytes payload) {
    if (type == XFRMA_TMPL) read_templates(payload, policy);
    if (type == XFRMA_IF_ID) policy.if_id = read_as<std::uint32_t>(payload).value_or(0);
    if (type == XFRMA_MARK) policy.mark = mark_of(payload);
  });
  return policy;
}

std::optional<XfrmStateFact> parse_state(Bytes message) {
  const auto body = body_of<xfrm_usersa_info>(message);
  if (!body) return std::nullopt;
  const auto& info = body->fixed;
  const auto family = family_of(info.family);
  if (!family) return std::nullopt;
  XfrmStateFact state;
  state.source = from_xfrm(*family, info.saddr);
  state.destination = from_xfrm(*family, info.id.daddr);
  state.spi = ntohl(info.id.spi);
  state.protocol = info.id.proto;
  state.tunnel_mode = info.mode != XFRM_MODE_TRANSPORT;
  state.reqid = info.reqid;
  state.extended_sequence = (info.flags & XFRM_STATE_ESN) != 0;
  read_lifetimes(info, state);
  state.keyless = state.protocol == kProtocolEsp || state.protocol == kProtocolAh;
  for_each_attribute(body->attributes, [&](std::uint16_t type, Bytes payload) {
    if (type == XFRMA_ALG_AEAD || type == XFRMA_ALG_CRYPT || type == XFRMA_ALG_AUTH ||
        type == XFRMA_ALG_AUTH_TRUNC)
      state.keyless = false;
    if (type == XFRMA_ALG_AEAD || type == XFRMA_ALG_CRYPT)
      state.algorithm = algorithm_name(payload);
    if (type == XFRMA_ENCAP) state.encapsulation = encapsulation_of(payload);
    if (type == XFRMA_IF_ID) state.if_id = read_as<std::uint32_t>(payload).value_or(0);
    if (type == XFRMA_MARK) state.mark = mark_of(payload);
    if (type == kStateCpu) state.cpu = read_as<std::uint32_t>(payload);
    if (type == XFRMA_REPLAY_VAL || type == XFRMA_REPLAY_ESN_VAL)
      read_sequence(type, payload, state);
    if (type == XFRMA_OFFLOAD_DEV) {
      const auto offload = read_as<xfrm_user_offload>(payload);
      state.offload_packet = offload && (offload->flags & kOffloadPacket) != 0;
      state.offload_crypto = offload && !state.offload_packet;
    }
  });
  state.null_encryption = state.protocol == kProtocolEsp && is_null(state.algorithm);
  return state;
}

std::optional<XfrmDefaults> parse_defaults(Bytes message) {
  const auto body = body_of<xfrm_userpolicy_default>(message);
  if (!body) return std::nullopt;
  return XfrmDefaults{true, body->fixed.in == XFRM_USERPOLICY_BLOCK,
                      body->fixed.out == XFRM_USERPOLICY_BLOCK,
                      body->fixed.fwd == XFRM_USERPOLICY_BLOCK};
}

}  // namespace espial
