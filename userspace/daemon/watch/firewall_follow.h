// SPDX-License-Identifier: Apache-2.0
// FirewallFollow: keeps the packet filter's rules current for the audit without blocking the
// event loop.
//
// tick() looks for a change once a second: nftables' generation, and the names of legacy tables. A
// change is read by a thread and child processes (read_ip_firewall()), at most once in ten
// seconds. Legacy tables tell no changes: while there are any, they are read every 30 seconds.
// Owned by the event loop; the network namespace is that of its thread.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "diagnose/audit/pod_nat.h"
#include "model/snapshot.h"
#include "sources/netlink/netlink_socket.h"

namespace espial {

class FirewallFollow {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kReadEvery{10};    // at most
  static constexpr std::chrono::seconds kLegacyEvery{30};  // at least, with legacy tables

  FirewallFollow() = default;
  FirewallFollow(const FirewallFollow&) = delete;
  FirewallFollow& operator=(const FirewallFollow&) = delete;
  // Stops a read in progress, and its child.
  ~FirewallFollow();

  // True: the known rules have changed. Call only after privileges were dropped, because threads
  // inherit them.
  bool tick(Clock::time_point now);

  // Judges NAT by the rules that were read last; null: none were.
  [[nodiscard]] PodNat* nat() const { return nat_.get(); }
  // "firewall", down with the reason if not everything could be read.
  [[nodiscard]] SourceStatus source() const;

 private:
  // Equal as long as the ruleset is the same; generation 0: the kernel could not be asked.
  struct State {
    std::uint32_t generation = 0;
    std::string legacy;
    bool operator==(const State&) const = default;
  };
  struct Reading {
    std::thread thread;
    std::atomic<bool> stop{false};
    std::atomic<bool> done{false};
    Ruleset rules;  // the thread's until done
  };

  State look();
  bool due(const State& state, Clock::time_point now) const;
  void begin(const State& state, Clock::time_point now);
  bool take();

  std::optional<NetlinkSocket> netfilter_;
  std::unique_ptr<Reading> reading_;
  std::optional<State> read_;  // the state at the beginning of the last or current read
  Clock::time_point began_{};
  std::unique_ptr<PodNat> nat_;
};

}  // namespace espial
