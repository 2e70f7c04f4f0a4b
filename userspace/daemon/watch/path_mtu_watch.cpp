// SPDX-License-Identifier: Apache-2.0
#include "daemon/watch/path_mtu_watch.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "daemon/watch/privileges.h"
#include "diagnose/doctor/underlay_check.h"

namespace espial {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStopsWithin{50};
constexpr milliseconds kBetweenPeers{1000};  // between groups of addresses

// The largest packet that the route to each underlay address allows.
std::vector<EchoTarget> targets_of(const Topology& topology, const KernelFacts& facts) {
  const RouteIndex routes(facts);
  const auto sources = tunnel_sources(facts);
  std::vector<EchoTarget> out;
  for (const auto& peer : topology.peers) {
    if (peer.state == PeerState::kCandidate) continue;
    for (const auto& underlay : peer.underlays)
      if (const auto bytes = echo_bytes(routes, underlay.address))
        out.push_back({source_to(sources, underlay.address), underlay.address, *bytes});
  }
  return out;
}

void wait_for(milliseconds time, const std::atomic<bool>& stop) {
  const auto until = PathMtuWatch::Clock::now() + time;
  while (!stop && PathMtuWatch::Clock::now() < until) std::this_thread::sleep_for(kStopsWithin);
}

}  // namespace

void PathMtuWatch::stop() {
  if (!looking_) return;
  looking_->stop = true;
  looking_->thread.join();
  looking_.reset();
}

// A lost probe is repeated three times a second (sources/probe/path_mtu.h): so a quarter of the
// rate at a time.
void PathMtuWatch::begin(const ConfigVerify& config, std::vector<EchoTarget> targets) {
  looking_ = std::make_unique<Looking>();
  looking_->targets = std::move(targets);
  const std::size_t together = std::max<std::size_t>(1, config.probes_per_second / 4);
  looking_->thread = std::thread([looking = looking_.get(), together] {
    const NetRawInUse right;
    auto sockets = EchoSockets::open();
    if (!sockets.ok()) looking->problem = sockets.error().message;
    const auto& all = looking->targets;
    for (std::size_t i = 0; sockets.ok() && i < all.size() && !looking->stop; i += together) {
      if (i > 0) wait_for(kBetweenPeers, looking->stop);
      const std::vector<EchoTarget> some(
          all.begin() + static_cast<std::ptrdiff_t>(i),
          all.begin() + static_cast<std::ptrdiff_t>(std::min(i + together, all.size())));
      for (auto& largest : find_black_holes(*sockets, some, &looking->stop))
        looking->largest.push_back(largest);
    }
    looking->done = true;
  });
}

void PathMtuWatch::take() {
  looking_->thread.join();
  std::vector<Found> found;
  for (std::size_t i = 0; i < looking_->largest.size(); ++i) {
    if (!looking_->largest[i]) continue;
    const auto& target = looking_->targets[i];
    Found one{{target.destination, target.size, *looking_->largest[i]}, 1};
    for (const auto& before : found_)
      if (before.hole.address == target.destination) one.looks = before.looks + 1;
    found.push_back(one);
  }
  if (!looking_->problem.empty()) spdlog::warn("path MTU: {}", looking_->problem);
  found_ = std::move(found);
  looked_ = std::chrono::system_clock::now();
  looking_.reset();
}

void PathMtuWatch::tick(const ConfigVerify& config, const Topology& topology,
                        const KernelFacts& facts, Clock::time_point now) {
  if (config.interval.count() == 0 || config.path_mtu_interval.count() == 0) {
    stop();
    began_.reset();
    looked_.reset();
    found_.clear();
    return;
  }
  if (looking_ && !looking_->done) return;
  if (looking_) take();
  const auto every =
      found_.empty() ? config.path_mtu_interval : std::min(config.path_mtu_interval, kAgain);
  if (began_ && now - *began_ < every) return;
  began_ = now;
  begin(config, targets_of(topology, facts));
}

void PathMtuWatch::add_to(Probing& probing, const Topology& topology) const {
  probing.path_mtu_looked = looked_;
  for (const auto& found : found_) {
    if (found.looks < 2) continue;
    for (const auto& peer : topology.peers)
      for (const auto& underlay : peer.underlays)
        if (underlay.address == found.hole.address)
          probing.peers[peer.name].black_holes.push_back(found.hole);
  }
}

}  // namespace espial
