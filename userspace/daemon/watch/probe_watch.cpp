// SPDX-License-Identifier: Apache-2.0
#include "daemon/watch/probe_watch.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <tuple>

#include "base/system_error.h"
#include "daemon/watch/privileges.h"

namespace espial {
namespace {

// Replies per call; the rest wakes the loop again. Replies to other programs' pings are received,
// too: if a socket filter rejected them, the kernel would drop the copies, which would look like
// lost packets (bpf/drops.bpf.c).
constexpr int kMostReplies = 256;

Error probes_error(const char* what) { return system_error("probes", what, errno); }

Status watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) return probes_error("watch");
  return Ok{};
}

std::size_t slot(Family family) { return family == Family::kIpv4 ? 0 : 1; }

// The kernel's timestamp of the reply, unless the clock was set meanwhile.
std::chrono::nanoseconds round_trip(std::chrono::nanoseconds steady,
                                    std::chrono::system_clock::time_point sent,
                                    const std::optional<std::chrono::nanoseconds>& arrived) {
  if (!arrived) return steady;
  const auto stamped =
      *arrived - std::chrono::duration_cast<std::chrono::nanoseconds>(sent.time_since_epoch());
  return stamped.count() > 0 && stamped < steady ? stamped : steady;
}

std::vector<std::string> unknown_pods(const std::vector<IpAddress>& pods,
                                      const Topology& topology) {
  std::vector<std::string> out;
  for (const auto& pod : pods)
    if (topology.backend_of(pod) == nullptr)
      out.push_back(pod.text() + ": in no peer's backend subnet");
  return out;
}

}  // namespace

ProbeWatch::ProbeWatch(std::uint64_t seed)
    : schedule_(seed),
      id_(static_cast<std::uint16_t>(seed)),
      sequence_(static_cast<std::uint16_t>(seed >> 16)) {}

Result<ProbeWatch> ProbeWatch::open() {
  std::uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != sizeof seed) return probes_error("get a random number");
  ProbeWatch out(seed);
  out.epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  if (!out.epoll_.valid()) return probes_error("make epoll set");
  out.timer_ = UniqueFd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!out.timer_.valid()) return probes_error("make timer");
  EP_TRY(watch(out.epoll_.get(), out.timer_.get()));
  return out;
}

Status ProbeWatch::open_sockets() {
  const NetRawInUse right;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    EP_ASSIGN(socket, open_echo_socket(family));
    if (!socket.valid()) continue;
    EP_TRY(watch(epoll_.get(), socket.get()));
    sockets_[slot(family)] = std::move(socket);
  }
  open_ = true;
  return Ok{};
}

void ProbeWatch::stop() {
  for (auto& socket : sockets_) socket = UniqueFd();
  open_ = false;
  out_.clear();
  not_probed_.clear();
  packets_.clear();
  plan({}, {});
}

ProbeWatch::Way ProbeWatch::way_of(const ProbeResult& probe) {
  return {probe.peer, probe.target.family(), probe.path, probe.target, probe.source};
}

void ProbeWatch::follow(const ConfigVerify& config, const Topology& topology,
                        const KernelFacts& facts) {
  if (config.interval.count() == 0) {
    if (config_.interval.count() != 0) spdlog::info("probes: no more");
    problem_.clear();
    config_ = config;
    return stop();
  }
  const bool was_off = config_.interval.count() == 0;
  config_ = config;
  if (!open_ && (was_off || problem_.empty())) {
    problem_.clear();
    if (auto status = open_sockets(); !status.ok()) {
      problem_ = status.error().message;
      spdlog::warn("{}; the peers are not probed", problem_);
      return stop();
    }
  }
  if (!open_) return;
  not_probed_ = unknown_pods(config.pods, topology);
  std::vector<PeerProbe> probes;
  for (const auto& stage : plan_probes(topology, facts, {}, {{}, config.pods}, not_probed_))
    for (const auto& probe : stage) {
      PeerProbe one;
      one.last.peer = probe.peer;
      one.last.path = probe.path;
      one.last.source = probe.source;
      one.last.target = probe.target;
      probes.push_back(std::move(one));
    }
  std::sort(probes.begin(), probes.end(), [](const auto& one, const auto& other) {
    return way_of(one.last) < way_of(other.last);
  });
  const auto before = schedule_.round();
  plan(config, std::move(probes));
  const std::chrono::duration<double> round = schedule_.round();
  if (schedule_.round() == before) return;
  spdlog::info("probes: {} ways, one every {} s{}", probes_.size(), config.interval.count(),
               round > config.interval
                   ? fmt::format("; at most {} a second: a round takes {:.0f} s",
                                 config.probes_per_second, round.count())
                   : "");
}

// A path that is still probed keeps its results.
void ProbeWatch::plan(const ConfigVerify& config, std::vector<PeerProbe> probes) {
  std::map<Way, std::size_t> index;
  std::vector<std::size_t> groups;
  groups_.clear();
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const auto way = way_of(probes[i].last);
    if (const auto known = index_.find(way); known != index_.end())
      probes[i] = std::move(probes_[known->second]);
    index.emplace(way, i);
    if (groups_.empty() || groups_.back() != std::get<std::string>(way))
      groups_.push_back(std::get<std::string>(way));
    groups.push_back(groups_.size() - 1);
  }
  for (auto it = out_.begin(); it != out_.end();)
    it = index.count(it->second.way) == 0 ? out_.erase(it) : std::next(it);
  probes_ = std::move(probes);
  index_ = std::move(index);
  const auto now = Clock::now();
  schedule_.plan(std::move(groups), {config.interval, config.probes_per_second, kPatience}, now);
  arm(now);
}

void ProbeWatch::arm(Clock::time_point now) const {
  auto wake = schedule_.wake();
  for (const auto& [sequence, out] : out_) wake = std::min(wake, out.sent + kPatience);
  itimerspec when{};  // zeros: never
  if (wake != Clock::time_point::max()) {
    const auto left = std::max<std::chrono::nanoseconds>(wake - now, std::chrono::microseconds{1});
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    when.it_value = {seconds.count(), (left - seconds).count()};
  }
  timerfd_settime(timer_.get(), 0, &when, nullptr);
}

void ProbeWatch::advance(const Look& look, const MeshAudit& audit) {
  std::uint64_t expired = 0;
  (void)!::read(timer_.get(), &expired, sizeof expired);
  collect_replies(look, audit);
  const auto now = Clock::now();
  expire(now, look, audit);
  const auto is_out = [this](std::size_t group) {
    return std::any_of(out_.begin(), out_.end(), [&](const auto& one) {
      return std::get<std::string>(one.second.way) == groups_[group];
    });
  };
  while (const auto next = schedule_.take(now, is_out)) send(*next, now, look);
  arm(now);
}

void ProbeWatch::collect_replies(const Look& look, const MeshAudit& audit) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const int socket = sockets_[slot(family)].get();
    if (socket < 0) continue;
    for (int i = 0; i < kMostReplies; ++i) {
      const auto reply = receive_echo(socket, family);
      if (!reply) break;
      const auto out = out_.find(reply->id.sequence);
      if (reply->id.id == id_ && out != out_.end() && std::get<3>(out->second.way) == reply->source)
        end(out->first, &*reply, look, audit);
    }
  }
}

void ProbeWatch::expire(Clock::time_point now, const Look& look, const MeshAudit& audit) {
  std::vector<std::uint16_t> over;
  for (const auto& [sequence, out] : out_)
    if (now - out.sent >= kPatience) over.push_back(sequence);
  for (const auto sequence : over) end(sequence, nullptr, look, audit);
}

// The counters first: packets counted from now on may be the probe.
void ProbeWatch::send(std::size_t index, Clock::time_point now, const Look& look) {
  const auto& probe = probes_[index].last;
  auto before = look(probe.peer);
  if (!before.ok()) return spdlog::error("probes: {}", before.error().message);
  ++sequence_;
  out_[sequence_] = {way_of(probe), *before, now, std::chrono::system_clock::now()};
  packets_.push_back({now, probe.peer, false});
  const int socket = sockets_[slot(probe.target.family())].get();
  if (socket >= 0) send_echo(socket, {probe.source, probe.target}, {id_, sequence_});
}

// reply: null if there was none.
void ProbeWatch::end(std::uint16_t sequence, const EchoReply* reply, const Look& look,
                     const MeshAudit& audit) {
  const auto out = std::move(out_.at(sequence));
  out_.erase(sequence);
  auto& probe = probes_[index_.at(out.way)];
  const auto after = look(probe.last.peer);
  if (!after.ok()) return spdlog::error("probes: {}", after.error().message);
  ProbeResult result;
  result.peer = probe.last.peer;
  result.path = probe.last.path;
  result.source = probe.last.source;
  result.target = probe.last.target;
  result.sent = 1;
  if (reply != nullptr) {
    result.answered = 1;
    result.fastest = round_trip(Clock::now() - out.sent, out.sent_wall, reply->arrived);
    packets_.push_back({Clock::now(), result.peer, true});
  }
  for (const Direction direction : {Direction::RECEIVE, Direction::TRANSMIT})
    result.seen[at(direction)] =
        seen_between(out.before, *after, direction, result.target.family());
  // `espial verify` reads the firewall's rules and the sysctls; doing so once a second is too much.
  judge_probe(result, audit, {});
  note(probe, std::move(result), std::chrono::system_clock::now());
}

std::optional<SourceStatus> ProbeWatch::source() const {
  if (config_.interval.count() == 0) return std::nullopt;
  return SourceStatus{"probes", problem_.empty(), problem_};
}

std::optional<Probing> ProbeWatch::read() {
  if (!open_) return std::nullopt;
  Probing out;
  out.interval = config_.interval;
  out.round = std::chrono::ceil<std::chrono::seconds>(schedule_.round());
  out.probes_per_second = config_.probes_per_second;
  out.not_probed = not_probed_;
  for (const auto& probe : probes_) out.peers[probe.last.peer].probes.push_back(probe);
  const auto now = Clock::now();
  while (!packets_.empty() && now - packets_.front().time > Probing::kRecent) packets_.pop_front();
  for (const auto& packet : packets_)
    if (const auto peer = out.peers.find(packet.peer); peer != out.peers.end())
      ++(packet.answer ? peer->second.answered : peer->second.sent);
  return out;
}

}  // namespace espial
