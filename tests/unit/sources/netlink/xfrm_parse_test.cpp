// SPDX-License-Identifier: Apache-2.0
#include "sources/netlink/xfrm_parse.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/xfrm.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <random>

#include "sources/netlink/kernel_watch.h"
#include "sources/proc/xfrm_stat.h"
#include "unit/facts_builder.h"
#include "unit/netlink_message.h"

namespace espial {
namespace {

using test::addr;
using test::Attributes;
using test::for_each_truncation;
using test::message;
using test::net;
using Buffer = std::vector<std::uint8_t>;

xfrm_address_t raw(const std::string& text) {
  xfrm_address_t address{};
  const auto parsed = addr(text);
  std::memcpy(&address, parsed.bytes().data(), parsed.bits() / 8);
  return address;
}

xfrm_userpolicy_info policy_head(std::uint8_t direction) {
  xfrm_userpolicy_info info{};
  info.sel.family = AF_INET;
  info.sel.saddr = raw("10.101.1.0");
  info.sel.prefixlen_s = 24;
  info.sel.daddr = raw("10.101.2.0");
  info.sel.prefixlen_d = 24;
  info.dir = direction;
  info.priority = 375423;
  info.action = XFRM_POLICY_ALLOW;
  return info;
}

xfrm_user_tmpl tmpl(std::uint8_t protocol, std::uint8_t mode, const std::string& source,
                    const std::string& destination) {
  xfrm_user_tmpl t{};
  t.id.proto = protocol;
  t.id.daddr = raw(destination);
  t.family = AF_INET;
  t.saddr = raw(source);
  t.mode = mode;
  t.reqid = 42;
  return t;
}

Buffer policy_message(const std::vector<xfrm_user_tmpl>& templates,
                      std::uint8_t direction = XFRM_POLICY_OUT) {
  Attributes all;
  if (!templates.empty())
    all.raw(XFRMA_TMPL, templates.data(), templates.size() * sizeof(xfrm_user_tmpl));
  all.value(XFRMA_IF_ID, std::uint32_t{7});
  return message(XFRM_MSG_NEWPOLICY, policy_head(direction), all);
}

const auto kTunnel = tmpl(50, XFRM_MODE_TUNNEL, "10.45.0.11", "10.45.0.12");

TEST(ParsePolicy, ReadsSelectorsTemplateAndReqid) {
  const auto policy = parse_policy(policy_message({kTunnel}));
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->direction, PolicyDirection::kOut);
  EXPECT_EQ(policy->source, net("10.101.1.0/24"));
  EXPECT_EQ(policy->destination, net("10.101.2.0/24"));
  EXPECT_EQ(policy->priority, 375423u);
  EXPECT_TRUE(policy->allow);
  EXPECT_TRUE(policy->has_template);
  EXPECT_EQ(policy->template_protocol, 50);
  EXPECT_TRUE(policy->tunnel_mode);
  EXPECT_FALSE(policy->level_use);
  EXPECT_EQ(policy->template_source, addr("10.45.0.11"));
  EXPECT_EQ(policy->template_destination, addr("10.45.0.12"));
  EXPECT_EQ(policy->reqid, 42u);
  EXPECT_EQ(policy->if_id, 7u);
}

TEST(ParsePolicy, DirectionsAndPerSocketPolicies) {
  EXPECT_EQ(parse_policy(policy_message({kTunnel}, XFRM_POLICY_IN))->direction,
            PolicyDirection::kIn);
  EXPECT_EQ(parse_policy(policy_message({kTunnel}, XFRM_POLICY_FWD))->direction,
            PolicyDirection::kForward);
  EXPECT_FALSE(parse_policy(policy_message({}, 3)));
  EXPECT_FALSE(parse_policy(policy_message({}, 4)));
}

TEST(ParsePolicy, BypassAndBlock) {
  EXPECT_FALSE(parse_policy(policy_message({}))->has_template);
  auto head = policy_head(XFRM_POLICY_OUT);
  head.action = XFRM_POLICY_BLOCK;
  EXPECT_FALSE(parse_policy(message(XFRM_MSG_NEWPOLICY, head))->allow);
}

TEST(ParsePolicy, OfSeveralTemplatesEspIsTheProtocolAndTheTunnelTheAddresses) {
  auto ipcomp = tmpl(108, XFRM_MODE_TUNNEL, "10.45.0.11", "10.45.0.12");
  ipcomp.optional = 1;
  const auto esp = tmpl(50, XFRM_MODE_TRANSPORT, "0.0.0.0", "0.0.0.0");
  const auto policy = parse_policy(policy_message({ipcomp, esp}));
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->template_protocol, 50);
  EXPECT_TRUE(policy->tunnel_mode);
  EXPECT_FALSE(policy->level_use);
  EXPECT_EQ(policy->template_destination, addr("10.45.0.12"));
}

TEST(ParsePolicy, TransportModeAndOptionalTemplates) {
  auto optional = tmpl(51, XFRM_MODE_TRANSPORT, "0.0.0.0", "0.0.0.0");
  optional.optional = 1;
  const auto policy = parse_policy(policy_message({optional}));
  EXPECT_FALSE(policy->tunnel_mode);
  EXPECT_TRUE(policy->level_use);
  EXPECT_EQ(policy->template_protocol, 51);
}

TEST(ParsePolicy, RefusesImpossiblePrefixes) {
  auto head = policy_head(XFRM_POLICY_OUT);
  head.sel.prefixlen_d = 33;
  EXPECT_FALSE(parse_policy(message(XFRM_MSG_NEWPOLICY, head)));
  head = policy_head(XFRM_POLICY_OUT);
  head.sel.family = AF_UNIX;
  EXPECT_FALSE(parse_policy(message(XFRM_MSG_NEWPOLICY, head)));
}

TEST(ParsePolicy, PortsMarkAgeAndDevice) {
  auto head = policy_head(XFRM_POLICY_OUT);
  head.sel.proto = 6;
  head.sel.dport = htons(22);
  head.sel.dport_mask = 0xffff;
  head.sel.ifindex = 9;
  head.index = 81;
  head.curlft.add_time = 1'700'000'000;
  Attributes all;
  all.value(XFRMA_MARK, xfrm_mark{5, 0xff});
  const auto policy = parse_policy(message(XFRM_MSG_NEWPOLICY, head, all));
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->destination_port.value, 22);
  EXPECT_EQ(policy->destination_port.mask, 0xffff);
  EXPECT_EQ(policy->source_port.mask, 0);
  EXPECT_EQ(policy->selector_device, 9);
  EXPECT_EQ(policy->index, 81u);
  EXPECT_EQ(policy->added, 1'700'000'000u);
  EXPECT_EQ(policy->mark, (XfrmMark{5, 0xff}));
  EXPECT_FALSE(policy->mark.matches_unmarked());
}

TEST(ParseDefaults, BlockAndAccept) {
  const xfrm_userpolicy_default wire{XFRM_USERPOLICY_ACCEPT, XFRM_USERPOLICY_ACCEPT,
                                     XFRM_USERPOLICY_BLOCK};
  const auto defaults = parse_defaults(message(XFRM_MSG_GETDEFAULT, wire));
  ASSERT_TRUE(defaults);
  EXPECT_TRUE(defaults->known);
  EXPECT_FALSE(defaults->block_in);
  EXPECT_FALSE(defaults->block_forward);
  EXPECT_TRUE(defaults->block_out);
}

constexpr char kKey[] = "this key must never be seen anywhere";

xfrm_usersa_info state_head() {
  xfrm_usersa_info info{};
  info.family = AF_INET;
  info.saddr = raw("10.45.0.11");
  info.id.daddr = raw("10.45.0.12");
  info.id.spi = htonl(0xc0ffee);
  info.id.proto = 50;
  info.mode = XFRM_MODE_TUNNEL;
  info.reqid = 42;
  return info;
}

Buffer state_message(std::uint16_t algorithm_type, const std::string& algorithm,
                     const Attributes& more = {}) {
  Buffer payload(sizeof(xfrm_algo_aead) + sizeof kKey);
  std::memcpy(payload.data(), algorithm.c_str(), algorithm.size() + 1);
  std::memcpy(payload.data() + sizeof(xfrm_algo_aead), kKey, sizeof kKey);
  Attributes all;
  all.raw(algorithm_type, payload.data(), payload.size());
  auto bytes = message(XFRM_MSG_NEWSA, state_head(), all);
  bytes.insert(bytes.end(), more.bytes().begin(), more.bytes().end());
  const auto length = static_cast<std::uint32_t>(bytes.size());
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes;
}

TEST(ParseState, ReadsIdentityAndAlgorithm) {
  const auto state = parse_state(state_message(XFRMA_ALG_AEAD, "rfc4106(gcm(aes))"));
  ASSERT_TRUE(state);
  EXPECT_EQ(state->source, addr("10.45.0.11"));
  EXPECT_EQ(state->destination, addr("10.45.0.12"));
  EXPECT_EQ(state->spi, 0xc0ffeeu);
  EXPECT_EQ(state->protocol, 50);
  EXPECT_EQ(state->reqid, 42u);
  EXPECT_TRUE(state->tunnel_mode);
  EXPECT_EQ(state->algorithm, "rfc4106(gcm(aes))");
  EXPECT_FALSE(state->null_encryption);
  EXPECT_EQ(state->encapsulation, Encapsulation::kNone);
}

TEST(ParseState, AReservedSpiHasNoKeys) {
  EXPECT_FALSE(parse_state(state_message(XFRMA_ALG_AEAD, "rfc4106(gcm(aes))"))->larval());
  EXPECT_FALSE(parse_state(state_message(XFRMA_ALG_AUTH_TRUNC, "hmac(sha256)"))->larval());
  const auto reserved = parse_state(message(XFRM_MSG_NEWSA, state_head(), Attributes()));
  EXPECT_EQ(reserved->spi, 0xc0ffeeu);
  EXPECT_TRUE(reserved->larval()) << "a key manager negotiates";
}

TEST(ParseState, NullEncryptionByAnyName) {
  for (const char* name : {"ecb(cipher_null)", "cipher_null", "rfc4543(gcm(aes))"})
    EXPECT_TRUE(parse_state(state_message(XFRMA_ALG_CRYPT, name))->null_encryption) << name;
  for (const char* name : {"cbc(aes)", "rfc4106(gcm(aes))", "rfc7539esp(chacha20,poly1305)"})
    EXPECT_FALSE(parse_state(state_message(XFRMA_ALG_CRYPT, name))->null_encryption) << name;
}

TEST(ParseState, AnUnterminatedNameEndsWithItsField) {
  const auto state = parse_state(state_message(XFRMA_ALG_CRYPT, std::string(63, 'x')));
  EXPECT_EQ(state->algorithm, std::string(63, 'x'));
  xfrm_algo full{};
  std::memset(full.alg_name, 'y', sizeof full.alg_name);
  Attributes all;
  all.value(XFRMA_ALG_CRYPT, full);
  EXPECT_EQ(parse_state(message(XFRM_MSG_NEWSA, state_head(), all))->algorithm,
            std::string(64, 'y'));
}

TEST(ParseState, EncapsulationAndOffload) {
  for (const auto& [type, expected] :
       {std::pair{2, Encapsulation::kUdp}, std::pair{7, Encapsulation::kTcp}}) {
    xfrm_encap_tmpl encap{};
    encap.encap_type = static_cast<std::uint16_t>(type);
    Attributes more;
    more.value(XFRMA_ENCAP, encap);
    EXPECT_EQ(parse_state(state_message(XFRMA_ALG_AEAD, "a", more))->encapsulation, expected);
  }
  for (const std::uint8_t flags : {std::uint8_t{0}, std::uint8_t{4}}) {
    xfrm_user_offload offload{};
    offload.flags = flags;
    Attributes more;
    more.value(XFRMA_OFFLOAD_DEV, offload);
    const auto state = parse_state(state_message(XFRMA_ALG_AEAD, "a", more));
    EXPECT_EQ(state->offload_packet, flags == 4);
    EXPECT_EQ(state->offload_crypto, flags == 0);
  }
}

TEST(ParseState, LifetimesSequenceAndCpu) {
  auto head = state_head();
  head.flags = XFRM_STATE_ESN;
  head.lft.hard_byte_limit = head.lft.hard_packet_limit = XFRM_INF;
  head.lft.soft_packet_limit = 1000;
  head.lft.hard_add_expires_seconds = 3960;
  head.curlft.bytes = 84'000;
  head.curlft.packets = 1000;
  head.curlft.add_time = 1'700'000'000;
  // bmp_len, oseq, seq, oseq_hi, seq_hi, replay_window, one word of bitmap
  const std::array<std::uint32_t, 7> esn{1, 7, 5, 2, 0, 32, 0};
  Attributes all;
  all.value(XFRMA_REPLAY_ESN_VAL, esn).value(35 /* XFRMA_SA_PCPU */, std::uint32_t{3});
  auto state = parse_state(message(XFRM_MSG_NEWSA, head, all));
  ASSERT_TRUE(state);
  EXPECT_EQ(state->hard.bytes, 0u) << "no limit";
  EXPECT_EQ(state->soft.packets, 1000u);
  EXPECT_EQ(state->hard.seconds_added, 3960u);
  EXPECT_EQ(state->bytes, 84'000u);
  EXPECT_EQ(state->packets, 1000u);
  EXPECT_EQ(state->added, 1'700'000'000u);
  EXPECT_TRUE(state->extended_sequence);
  EXPECT_EQ(state->sequence_sent, (2ull << 32) + 7);
  EXPECT_EQ(state->sequence_received, 5u);
  EXPECT_EQ(state->cpu, 3u);
  Attributes old;
  old.value(XFRMA_REPLAY_VAL, xfrm_replay_state{11, 12, 0});
  head.flags = 0;
  state = parse_state(message(XFRM_MSG_NEWSA, head, old));
  EXPECT_FALSE(state->extended_sequence);
  EXPECT_EQ(state->sequence_sent, 11u);
  EXPECT_EQ(state->sequence_received, 12u);
}

TEST(XfrmStat, LinesOfNameAndNumber) {
  const auto errors = parse_xfrm_stat(
      "XfrmInError             \t0\nXfrmInNoStates          \t12\nno number\nXfrmBad x\n\nLast 7");
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_EQ(errors[1], (XfrmError{"XfrmInNoStates", 12}));
  EXPECT_EQ(errors[2], (XfrmError{"Last", 7}));
  EXPECT_TRUE(parse_xfrm_stat("").empty());
}

TEST(XfrmParsers, SurviveEveryTruncationAndNoise) {
  const auto parse_both = [](const Buffer& bytes) {
    (void)parse_policy(bytes);
    (void)parse_state(bytes);
  };
  std::mt19937 random(11);
  for (const auto& whole :
       {policy_message({kTunnel, kTunnel}), state_message(XFRMA_ALG_AEAD, "rfc4106(gcm(aes))")}) {
    for_each_truncation(whole, parse_both);
    for (int round = 0; round < 2000; ++round) {
      auto noisy = whole;
      for (int flips = 0; flips < 4; ++flips)
        noisy[random() % noisy.size()] = static_cast<std::uint8_t>(random());
      parse_both(noisy);
    }
  }
}

TEST(Consume, WipesTheDatagramAndTheFactsHoldNoKey) {
  auto datagram = state_message(XFRMA_ALG_AEAD, "rfc4106(gcm(aes))");
  std::optional<XfrmStateFact> fact;
  consume(datagram, [&](const nlmsghdr&, Bytes bytes) { fact = parse_state(bytes); });
  ASSERT_TRUE(fact);
  EXPECT_TRUE(std::all_of(datagram.begin(), datagram.end(), [](auto byte) { return byte == 0; }));
  EXPECT_EQ(fact->algorithm, "rfc4106(gcm(aes))");
  // The name is the only text of a fact; it never runs into what follows it.
  EXPECT_EQ(fact->algorithm.find("key"), std::string::npos);
}

TEST(NoteXfrmEvent, SaysWhatKindChanged) {
  const auto after = [](std::uint16_t type) {
    nlmsghdr head{};
    head.nlmsg_type = type;
    Changes changes;
    note_xfrm_event(head, changes);
    return changes;
  };
  for (const std::uint16_t type : {XFRM_MSG_NEWPOLICY, XFRM_MSG_DELPOLICY, XFRM_MSG_UPDPOLICY,
                                   XFRM_MSG_POLEXPIRE, XFRM_MSG_FLUSHPOLICY})
    EXPECT_TRUE(after(type).policies && !after(type).states) << type;
  for (const std::uint16_t type : {XFRM_MSG_NEWSA, XFRM_MSG_DELSA, XFRM_MSG_UPDSA, XFRM_MSG_EXPIRE,
                                   XFRM_MSG_FLUSHSA, XFRM_MSG_ACQUIRE})
    EXPECT_TRUE(after(type).states && !after(type).policies) << type;
  EXPECT_FALSE(after(XFRM_MSG_NEWAE).any());
}

}  // namespace
}  // namespace espial
