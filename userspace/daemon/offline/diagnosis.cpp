// SPDX-License-Identifier: Apache-2.0
#include "daemon/offline/diagnosis.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/printable.h"
#include "control/control_client.h"
#include "daemon/instance/now.h"
#include "daemon/instance/world.h"
#include "diagnose/doctor/doctor.h"
#include "diagnose/explain/explain.h"
#include "diagnose/verify/verify.h"
#include "exporter/documents/diagnosis_documents.h"
#include "kernel/counters/counters.h"
#include "kernel/peers/mode_map.h"
#include "model/config.h"
#include "sources/firewall/firewall_source.h"
#include "sources/probe/echo.h"
#include "sources/probe/ike_probe.h"
#include "sources/probe/local_pods.h"
#include "sources/probe/path_mtu.h"
#include "sources/proc/host_facts.h"
#include "sources/proc/sysctls.h"
#include "sources/vici/vici_client.h"
#include "sources/vici/vici_log.h"

namespace espial {
namespace {

constexpr std::size_t kMostIkeProbes = 64;  // addresses; of more these are representative

// The doctor's report, and the facts that it is based on.
struct Diagnosis {
  Ruleset ruleset;
  MeshAudit audit;
  DoctorReport report;
};

// Pings the underlays of the peers, with large packets, too. Nothing if that cannot be done.
Result<std::vector<UnderlayEcho>> ask_underlays(const World& world) {
  EP_ASSIGN(sockets, EchoSockets::open());
  const auto sources = tunnel_sources(world.facts);
  std::vector<EchoTarget> underlays;
  for (const auto& peer : world.topology.peers)
    if (peer.state != PeerState::kCandidate)
      for (const auto& underlay : peer.underlays)
        underlays.push_back({source_to(sources, underlay.address), underlay.address});
  const auto answers = sockets.ask(underlays, {});
  const RouteIndex routes(world.facts);
  std::vector<UnderlayEcho> echoes;
  std::vector<EchoTarget> large;
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < underlays.size(); ++i) {
    const auto& address = underlays[i].destination;
    echoes.push_back({address, answers[i].answered > 0});
    if (answers[i].answered == 0) continue;
    echoes[i].asked_bytes = echo_bytes(routes, address);
    if (!echoes[i].asked_bytes) continue;
    large.push_back({underlays[i].source, address, *echoes[i].asked_bytes});
    asked.push_back(i);
  }
  const auto found = find_black_holes(sockets, large);
  for (std::size_t i = 0; i < asked.size(); ++i) echoes[asked[i]].largest = found[i];
  return echoes;
}

// IKE troubles from charon's log: what it logs while this command runs, and what the daemon has
// collected.
class CharonListener {
 public:
  explicit CharonListener(const Config& config) : config_(config) {
    if (const auto socket = find_vici_socket(config.vici))
      if (auto log = ViciLog::open(*socket); log.ok()) log_ = std::move(log).value();
  }

  std::vector<IkeTrouble> troubles() {
    IkeTroubles logged;
    if (log_) {
      const auto now = std::chrono::system_clock::now();
      (void)log_->advance([&](const CharonLine& line) { logged.take(line, now); });
    }
    auto all = logged.all();
    const auto answer = control_request(control_socket_path(config_.state_dir), "charon");
    if (!answer.ok()) return all;
    auto known = ike_troubles_from(nlohmann::json::parse(*answer, nullptr, false));
    all.insert(all.end(), known.begin(), known.end());
    return all;
  }

 private:
  const Config& config_;
  std::optional<ViciLog> log_;
};

std::vector<FiringAlarm> firing_alarms(const Config& config) {
  std::vector<FiringAlarm> out;
  const auto answer = control_request(control_socket_path(config.state_dir), "alarms");
  if (!answer.ok()) return out;
  const auto document = nlohmann::json::parse(*answer, nullptr, false);
  const auto alarms = document.is_object() ? document.value("alarms", nlohmann::json::array())
                                           : nlohmann::json::array();
  const auto text = [](const nlohmann::json& alarm, const char* key) {
    const auto found = alarm.find(key);
    return found != alarm.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  for (const auto& alarm : alarms)
    if (alarm.is_object() && text(alarm, "state") == "firing")
      out.push_back({text(alarm, "alarm"), text(alarm, "peer"), text(alarm, "evidence")});
  return out;
}

Diagnosis diagnose_now(const Config& config, const World& world, CharonListener& listener) {
  CharonFacts charon;
  if (const auto socket = find_vici_socket(config.vici)) charon = read_charon(*socket);
  Diagnosis out;
  out.ruleset = read_firewall();
  PodNat nat(out.ruleset);
  out.audit = audit_now(world.topology, world.facts, charon, world.opensvc, &nat);
  const auto sysctls = read_sysctls(world.facts.links);
  auto echoes = ask_underlays(world);
  // A silent peer may have no link-layer address, which the kernel knows only by now.
  const bool silent = echoes.ok() && std::any_of(echoes->begin(), echoes->end(),
                                                 [](const auto& echo) { return !echo.answered; });
  auto later = silent ? look_around(config) : Result<World>(Error{});
  const auto& facts = later.ok() ? later->facts : world.facts;
  auto unanswered = unprotected(world.topology, out.audit);
  if (unanswered.size() > kMostIkeProbes) unanswered.resize(kMostIkeProbes);
  auto reach = probe_ike(unanswered);
  charon.troubles = listener.troubles();
  out.report = diagnose({.topology = world.topology,
                         .facts = facts,
                         .ruleset = out.ruleset,
                         .sysctls = sysctls,
                         .audit = out.audit,
                         .host = read_host(),
                         .charon = charon,
                         .echoes = echoes.ok() ? std::move(*echoes) : std::vector<UnderlayEcho>{},
                         .ike = std::move(reach),
                         .now = std::chrono::system_clock::now(),
                         .firing = firing_alarms(config)});
  if (!echoes.ok()) out.report.unknown.push_back(echoes.error().message);
  return out;
}

constexpr EchoPlan kProbes{3, false, std::chrono::milliseconds{1000}};

// Sends the planned probes, stage by stage, and reads the counters of each peer before and after.
class Prober {
 public:
  Prober(const Pins& pins, EchoSockets& node, std::vector<LocalPod>& pods)
      : pins_(pins), node_(node), pods_(pods) {}

  Status run(const std::vector<PlannedProbe>& stage, std::vector<ProbeResult>& results) {
    EP_ASSIGN(before, look(stage));
    std::vector<ProbeResult> sent(stage.size());
    // One namespace at a time.
    std::map<std::optional<std::size_t>, std::vector<std::size_t>> by_pod;
    for (std::size_t i = 0; i < stage.size(); ++i) by_pod[stage[i].pod].push_back(i);
    for (const auto& [pod, indexes] : by_pod) {
      std::vector<EchoTarget> targets;
      for (const auto i : indexes) targets.push_back({stage[i].source, stage[i].target});
      auto& sockets = pod ? pods_[*pod].sockets : node_;
      const auto answers = sockets.ask(targets, kProbes);
      for (std::size_t k = 0; k < indexes.size(); ++k) {
        const auto& probe = stage[indexes[k]];
        auto& result = sent[indexes[k]];
        result.peer = probe.peer;
        result.path = probe.path;
        result.source = probe.source;
        result.target = probe.target;
        result.sent = answers[k].sent;
        result.answered = answers[k].answered;
        result.fastest = answers[k].fastest;
      }
    }
    EP_ASSIGN(after, look(stage));
    for (std::size_t i = 0; i < stage.size(); ++i) {
      for (const Direction direction : {Direction::RECEIVE, Direction::TRANSMIT})
        sent[i].seen[at(direction)] =
            seen_between(before[i], after[i], direction, sent[i].target.family());
      results.push_back(std::move(sent[i]));
    }
    return Ok{};
  }

 private:
  Result<std::vector<PeerCounters>> look(const std::vector<PlannedProbe>& stage) {
    const CounterSource counted{
        .maps = pins_.maps, .identities = pins_.identities, .reader = reader_};
    std::vector<PeerCounters> out;
    for (const auto& probe : stage) {
      EP_ASSIGN(counters, counters_now(counted, probe.peer));
      out.push_back(std::move(counters));
    }
    return out;
  }

  const Pins& pins_;
  EchoSockets& node_;
  std::vector<LocalPod>& pods_;
  CounterReader reader_;
};

Result<ProbeScope> scope_of(const Topology& topology, const std::vector<std::string>& peers,
                            const std::vector<std::string>& remote_pods) {
  ProbeScope scope;
  for (const auto& name : peers) {
    if (topology.find(name) == nullptr)
      return Error{name + ": no such peer (espial config show names them)", Failure::kUsage};
    scope.peers.push_back(name);
  }
  for (const auto& text : remote_pods) {
    const auto address = IpAddress::parse(text);
    if (!address) return Error{"--pod " + text + ": not an IP address", Failure::kUsage};
    if (topology.backend_of(*address) == nullptr)
      return Error{"--pod " + text + ": in no peer's backend subnet (espial config show)",
                   Failure::kUsage};
    scope.remote_pods.push_back(*address);
  }
  return scope;
}

Result<IpAddress> unicast(const std::string& text) {
  const auto address = IpAddress::parse(text);
  if (!address)
    return Error{"--explain " + printable(text) + ": not an IP address", Failure::kUsage};
  if (address->unspecified() || address->multicast() || address->loopback())
    return Error{"--explain " + text + ": must be a host address on the network", Failure::kUsage};
  return *address;
}

// As the programs see it, whether or not a daemon runs.
Result<std::vector<EnforcedSubnet>> enforced_subnets(const Config& config,
                                                     const Topology& topology) {
  std::vector<EnforcedSubnet> out;
  EP_ASSIGN(pins, open_pins(config));
  if (!pins) return out;
  const auto now = this_moment().monotonic;
  for (const auto& peer : topology.peers) {
    const auto id = pins->identities.peer(peer.name);
    if (id == 0) continue;
    EP_ASSIGN(entry, read_mode_entry(pins->maps.fd(MapId::kPolicy), id));
    if (entry.mode != Mode::ENFORCE || (entry.deadline && *entry.deadline <= now)) continue;
    for (const auto& backend : peer.backends) out.push_back({backend.prefix, peer.name});
  }
  return out;
}

void by_peer(std::vector<ProbeResult>& probes) {
  const auto key = [](const ProbeResult& probe) {
    return std::tuple(probe.peer, probe.target.family(), probe.path, probe.target);
  };
  std::sort(probes.begin(), probes.end(),
            [&](const auto& one, const auto& other) { return key(one) < key(other); });
}

}  // namespace

Result<nlohmann::json> doctor_now(const Config& config) {
  CharonListener listener(config);
  EP_ASSIGN(world, look_around(config));
  return doctor_document(diagnose_now(config, world, listener).report, world.topology.node,
                         std::chrono::system_clock::now());
}

Result<nlohmann::json> explain_now(const Config& config, const std::string& source,
                                   const std::string& destination) {
  EP_ASSIGN(from, unicast(source));
  EP_ASSIGN(to, unicast(destination));
  if (from.family() != to.family())
    return Error{"--explain " + source + " " + destination + ": one is IPv4, the other IPv6",
                 Failure::kUsage};
  EP_ASSIGN(world, look_around(config));
  const auto ruleset = read_firewall();
  const auto sysctls = read_sysctls(world.facts.links);
  EP_ASSIGN(enforced, enforced_subnets(config, world.topology));
  const ExplainInput input{.facts = world.facts,
                           .ruleset = ruleset,
                           .sysctls = sysctls,
                           .enforced = std::move(enforced),
                           .exempting = !config.enforce.exempt.empty()};
  return explain_document(explain(input, from, to), world.topology.node,
                          std::chrono::system_clock::now());
}

Result<nlohmann::json> verify_now(const Config& config, const std::vector<std::string>& peers,
                                  const std::vector<std::string>& remote_pods) {
  EP_ASSIGN(world, look_around(config));
  EP_ASSIGN(scope, scope_of(world.topology, peers, remote_pods));
  EP_ASSIGN(pins, open_pins(config));
  if (!pins)
    return Error{
        config.pin_dir +
        ": espial's programs are not attached, so the wire is not observed (start espial)"};
  EP_ASSIGN(sockets, EchoSockets::open());
  CharonListener listener(config);
  std::vector<Prefix> own;
  for (const auto& backend : world.topology.self_backends) own.push_back(backend.prefix);
  auto pods = find_local_pods(own);

  VerifyReport report;
  if (!pods.problem.empty()) report.unknown.push_back("local pods: " + pods.problem);
  std::vector<PodView> views;
  views.reserve(pods.pods.size());
  for (const auto& pod : pods.pods) views.push_back({pod.addresses, pod.connected});
  Prober prober(*pins, sockets, pods.pods);
  for (const auto& stage : plan_probes(world.topology, world.facts, views, scope, report.unknown))
    EP_TRY(prober.run(stage, report.probes));

  // The state after the probes: a trap may have become a pair of SAs.
  EP_ASSIGN(after, look_around(config));
  const auto found = diagnose_now(config, after, listener);
  for (auto& probe : report.probes) judge_probe(probe, found.audit, found.report);
  by_peer(report.probes);
  report.not_exercised = walk_unexercised(after.topology, after.facts, found.ruleset, found.audit,
                                          scope, report.probes);
  return verify_document(report, world.topology.node, std::chrono::system_clock::now());
}

}  // namespace espial
