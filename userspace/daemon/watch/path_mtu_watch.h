// SPDX-License-Identifier: Apache-2.0
// PathMtuWatch: looks now and then whether large packets vanish on their way to the peers' underlay
// addresses, without holding up the event loop.
//
// A look is a thread that asks a few addresses at a time (sources/path_mtu.h), never faster than
// the configuration's probes_per_second. What one look finds is looked at again soon, and told once
// a second look has found it, too. Owned by the event loop; the network namespace is that of its
// thread.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "model/config.h"
#include "model/probing.h"
#include "sources/probe/path_mtu.h"

namespace espial {

class PathMtuWatch {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kAgain{10};  // after a look that found something

  PathMtuWatch() = default;
  PathMtuWatch(const PathMtuWatch&) = delete;
  PathMtuWatch& operator=(const PathMtuWatch&) = delete;
  // Stops a look that is under way, within a moment.
  ~PathMtuWatch() { stop(); }

  // Once a second. Not before privileges were given up: what starts a thread inherits them.
  void tick(const ConfigVerify& config, const Topology& topology, const KernelFacts& facts,
            Clock::time_point now);

  void add_to(Probing& probing, const Topology& topology) const;

 private:
  struct Looking {
    std::thread thread;
    std::atomic<bool> stop{false};
    std::atomic<bool> done{false};
    // The thread's until done.
    std::vector<EchoTarget> targets;
    std::vector<std::optional<unsigned>> largest;
    std::string problem;
  };

  // How large a packet has to be that one look found to vanish.
  struct Found {
    MtuBlackhole hole;
    unsigned looks = 0;  // in a row
  };

  void stop();
  void begin(const ConfigVerify& config, std::vector<EchoTarget> targets);
  void take();

  std::unique_ptr<Looking> looking_;
  std::optional<Clock::time_point> began_;
  std::optional<WallTime> looked_;  // when the last look ended
  std::vector<Found> found_;
};

}  // namespace espial
