// SPDX-License-Identifier: Apache-2.0
#include "daemon/watch/firewall_follow.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "daemon/watch/privileges.h"
#include "sources/firewall/firewall_source.h"

namespace espial {
namespace {

constexpr std::chrono::milliseconds kProgramTime{5'000};

// To read these loads no module.
std::string legacy_tables() {
  std::string names;
  for (const char* path :
       {"/proc/thread-self/net/ip_tables_names", "/proc/thread-self/net/ip6_tables_names"}) {
    std::ifstream file(path);
    names.append(std::istreambuf_iterator<char>(file), {}).append(1, '/');
  }
  return names;
}

bool any_legacy(const std::string& names) { return names.size() > 2; }

std::uint32_t generation_in(Bytes message) {
  std::uint32_t generation = 0;
  constexpr std::size_t kHead = NLMSG_HDRLEN + sizeof(nfgenmsg);
  if (message.size() < kHead) return 0;
  for_each_attribute(message.subspan(kHead), [&](std::uint16_t type, Bytes payload) {
    if (type == NFTA_GEN_ID) generation = ntohl(read_as<std::uint32_t>(payload).value_or(0));
  });
  return generation;
}

}  // namespace

FirewallFollow::~FirewallFollow() {
  if (!reading_) return;
  reading_->stop = true;
  reading_->thread.join();
}

FirewallFollow::State FirewallFollow::look() {
  State state{0, legacy_tables()};
  if (!netfilter_) {
    auto socket = NetlinkSocket::open(NETLINK_NETFILTER, "nfnetlink");
    if (!socket.ok()) return state;
    netfilter_ = std::move(*socket);
  }
  const nfgenmsg ask{AF_UNSPEC, NFNETLINK_V0, 0};
  (void)netfilter_->request(
      (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN,
      {reinterpret_cast<const std::uint8_t*>(&ask), sizeof ask},
      [&](const nlmsghdr&, Bytes message) { state.generation = generation_in(message); });
  return state;
}

bool FirewallFollow::due(const State& state, Clock::time_point now) const {
  if (!read_) return true;
  if (now - began_ < kReadEvery) return false;
  if (state != *read_) return true;
  const bool silent = any_legacy(state.legacy) || state.generation == 0 || !source().up;
  return silent && now - began_ >= kLegacyEvery;
}

void FirewallFollow::begin(const State& state, Clock::time_point now) {
  read_ = state;
  began_ = now;
  reading_ = std::make_unique<Reading>();
  reading_->thread = std::thread([reading = reading_.get()] {
    if (auto lent = lend_network_privileges(); lent.ok())
      reading->rules = read_ip_firewall({kProgramTime, 64u << 20, &reading->stop});
    else
      reading->rules.unread.push_back(lent.error().message);
    reading->done = true;
  });
}

bool FirewallFollow::take() {
  if (!reading_ || !reading_->done) return false;
  reading_->thread.join();
  const bool was_up = source().up;
  const bool first = nat_ == nullptr;
  nat_ = std::make_unique<PodNat>(std::move(reading_->rules));
  reading_.reset();
  const auto now = source();
  if (!now.up && (was_up || first))
    spdlog::warn("firewall: {} (NAT before IPsec is not judged)", now.detail);
  if (now.up && !was_up && !first) spdlog::info("firewall: the rules can be read again");
  return true;
}

bool FirewallFollow::tick(Clock::time_point now) {
  const bool taken = take();
  if (reading_) return taken;
  if (const auto state = look(); due(state, now)) begin(state, now);
  return taken;
}

SourceStatus FirewallFollow::source() const {
  if (nat_ == nullptr) return {"firewall", true, ""};
  const auto unread = nat_->unread();
  return {"firewall", !unread, unread.value_or("")};
}

}  // namespace espial
