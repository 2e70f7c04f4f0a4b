// SPDX-License-Identifier: Apache-2.0
// PathMtuWatch: checks from time to time whether large packets vanish on the way to the peers'
// underlay addresses, without blocking the event loop.
//
// A check is a thread that probes a few addresses at a time (sources/probe/path_mtu.h), never
// faster than the configuration's probes_per_second. If one check finds a black hole, it is
// repeated soon, and the black hole is reported if the second check finds it, too. Owned by the
// event loop; the network namespace is that of its thread.
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
  static constexpr std::chrono::seconds kAgain{10};  // after a check that found something

  PathMtuWatch() = default;
  PathMtuWatch(const PathMtuWatch&) = delete;
  PathMtuWatch& operator=(const PathMtuWatch&) = delete;
  // Stops a running check without delay.
  ~PathMtuWatch() { stop(); }

  // Once a second. Call only after privileges were dropped, because threads inherit them.
  void tick(const ConfigVerify& config, const Topology& topology, const KernelFacts& facts,
            Clock::time_point now);

  void add_to(Probing& probing, const Topology& topology) const;

 private:
  struct Looking {
    std::thread thread;
    std::atomic<bool> stop{false};
    std::atomic<bool> done{false};
    // Owned by the thread until done.
    std::vector<EchoTarget> targets;
    std::vector<std::optional<unsigned>> largest;
    std::string problem;
  };

  // A black hole that one check found.
  struct Found {
    MtuBlackhole hole;
    unsigned looks = 0;  // in a row
  };

  void stop();
  void begin(const ConfigVerify& config, std::vector<EchoTarget> targets);
  void take();

  std::unique_ptr<Looking> looking_;
  std::optional<Clock::time_point> began_;
  std::optional<WallTime> looked_;  // when the last check ended
  std::vector<Found> found_;
};

}  // namespace espial
