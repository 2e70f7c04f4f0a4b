// SPDX-License-Identifier: Apache-2.0
// ProbeWatch: continuous `espial verify`, from this node to the peers' bridges and to the pods that
// the configuration names. Sends nothing unless configured.
//
// Each probe is one echo request; the counters of its peer are read before it is sent and after the
// reply or a timeout, and diagnose/verify/verify.h judges it. Nothing here blocks: the event loop
// calls advance() when fd() is readable. One thread, one network namespace.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "diagnose/verify/probe_schedule.h"
#include "diagnose/verify/verify.h"
#include "model/config.h"
#include "model/probing.h"
#include "sources/probe/echo_socket.h"

namespace espial {

class ProbeWatch {
 public:
  // The programs' current counters of a peer.
  using Look = std::function<Result<PeerCounters>(const std::string& peer)>;

  static constexpr std::chrono::seconds kPatience{1};

  static Result<ProbeWatch> open();

  [[nodiscard]] int fd() const { return epoll_.get(); }

  // Sets what is probed from now on. The first call with probes to send opens the sockets.
  void follow(const ConfigVerify& config, const Topology& topology, const KernelFacts& facts);

  // Collects replies, ends probes that timed out, sends due probes.
  void advance(const Look& look, const MeshAudit& audit);

  // The latest results; nothing: no probes are sent.
  [[nodiscard]] std::optional<Probing> read();
  // "probes"; nothing unless configured.
  [[nodiscard]] std::optional<SourceStatus> source() const;

  // Why no probes are sent although they are configured; empty: they are sent.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  using Clock = std::chrono::steady_clock;
  // Identifies the path of a probe.
  using Way = std::tuple<std::string, Family, ProbePath, IpAddress, IpAddress>;

  struct Out {
    Way way;
    PeerCounters before;
    Clock::time_point sent;
    std::chrono::system_clock::time_point sent_wall;
  };

  // One of our requests, or its reply.
  struct Packet {
    Clock::time_point time;
    std::string peer;
    bool answer = false;
  };

  explicit ProbeWatch(std::uint64_t seed);

  static Way way_of(const ProbeResult& probe);
  Status open_sockets();
  void stop();
  void plan(const ConfigVerify& config, std::vector<PeerProbe> probes);
  void collect_replies(const Look& look, const MeshAudit& audit);
  void expire(Clock::time_point now, const Look& look, const MeshAudit& audit);
  void send(std::size_t index, Clock::time_point now, const Look& look);
  void end(std::uint16_t sequence, const EchoReply* reply, const Look& look,
           const MeshAudit& audit);
  void arm(Clock::time_point now) const;

  UniqueFd epoll_;  // holds the timer, and the sockets while there are some
  UniqueFd timer_;
  std::array<UniqueFd, 2> sockets_;  // by Family
  bool open_ = false;
  std::string problem_;
  ConfigVerify config_;
  ProbeSchedule schedule_;
  std::vector<PeerProbe> probes_;  // by peer, family, path, target
  std::map<Way, std::size_t> index_;
  std::vector<std::string> groups_;  // names of peers, as the schedule numbers them
  std::vector<std::string> not_probed_;
  std::map<std::uint16_t, Out> out_;  // by sequence number
  std::deque<Packet> packets_;        // of the last Probing::kRecent, in order
  std::uint16_t id_ = 0;
  std::uint16_t sequence_ = 0;
};

}  // namespace espial
