// SPDX-License-Identifier: Apache-2.0
#include "daemon/node.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "config/config_file.h"
#include "daemon/audit_now.h"
#include "daemon/moment.h"
#include "kernel/table_spec.h"
#include "model/learn.h"
#include "sources/redirects.h"
#include "sources/xfrm_stat.h"

namespace espial {
namespace {

constexpr std::uint32_t kSubnetsPerPeer = 4;
constexpr std::chrono::seconds kJudgeEvery{10};  // what moves without an event: lifetimes, sysctls

ProgramLimits limits_of(const Config& config) {
  ProgramLimits limits;
  limits.max_peers = config.max_peers;
  limits.max_subnets = config.max_peers * kSubnetsPerPeer;
  limits.flow_events_per_second = config.flow_events_per_second;
  limits.xdp = config.xdp != XdpChoice::kOff;
  return limits;
}

// What a reload cannot change; empty: nothing of it changed.
std::string fixed_key_changed(const Config& now, const Config& next) {
  if (now.instance != next.instance) return "instance";
  if (now.pin_dir != next.pin_dir) return "pin_dir";
  if (now.state_dir != next.state_dir) return "state_dir";
  if (now.listen != next.listen || now.listen_anywhere != next.listen_anywhere) return "listen";
  if (now.max_peers != next.max_peers) return "max_peers";
  if (now.metrics != next.metrics) return "metrics";
  if (now.xdp != next.xdp) return "xdp";
  if (now.flow_events_per_second != next.flow_events_per_second) return "flow_events_per_second";
  if (now.opensvc != next.opensvc) return "opensvc";
  if (now.opensvc_conf != next.opensvc_conf) return "opensvc_conf";
  if (now.opensvc_socket != next.opensvc_socket) return "opensvc_socket";
  return {};
}

std::uint64_t unprotected(const PeerCounters& counters) {
  std::uint64_t sum = 0;
  for (const auto& direction : counters.cells)
    for (const auto& family : direction)
      for (std::size_t c = 0; c < kClasses; ++c)
        if (kClassCoverage[c] == Coverage::UNPROTECTED || c == at(Class::UNKNOWN_NODE))
          sum += family[c].packets;
  return sum;
}

void merge(Changes& sum, const Changes& more) {
  sum.links |= more.links;
  sum.addresses |= more.addresses;
  sum.routes |= more.routes;
  sum.neighbours |= more.neighbours;
  sum.fdb |= more.fdb;
  sum.policies |= more.policies;
  sum.states |= more.states;
}

}  // namespace

Node::Node(Config config, std::string config_path, KernelWatch watch, KernelFacts facts,
           Programs programs, Maps maps, Identities identities, Attachments attachments,
           FlowEvents events, ViciWatch vici)
    : config_(std::move(config)),
      config_path_(std::move(config_path)),
      watch_(std::move(watch)),
      facts_(std::move(facts)),
      programs_(std::move(programs)),
      maps_(std::move(maps)),
      identities_(std::move(identities)),
      attachments_(std::move(attachments)),
      xdp_(XdpAttachments::open(config_.pin_dir)),
      events_(std::move(events)),
      vici_(std::move(vici)),
      saved_file_(config_.state_dir),
      policies_(config_.state_dir),
      latest_(std::make_shared<LatestReport>()),
      flows_(std::make_shared<LatestFlows>()) {}

Result<std::unique_ptr<Node>> Node::start(Config config, std::string config_path, bool strict) {
  // Events are listened to before the first dump: nothing falls between.
  EP_ASSIGN(watch, KernelWatch::open());
  EP_ASSIGN(facts, watch.read());
  EP_ASSIGN(programs, Programs::load(config.pin_dir, limits_of(config)));
  EP_ASSIGN(maps, Maps::of(programs));
  EP_ASSIGN(identities, Identities::load(maps));
  EP_ASSIGN(attachments, Attachments::open(config.pin_dir, config.state_dir, programs));
  EP_ASSIGN(events, FlowEvents::open(maps));
  EP_ASSIGN(vici, ViciWatch::open(config.vici));
  std::unique_ptr<Node> node(new Node(std::move(config), std::move(config_path), std::move(watch),
                                      std::move(facts), std::move(programs), std::move(maps),
                                      std::move(identities), std::move(attachments),
                                      std::move(events), std::move(vici)));
  EP_TRY(node->begin(strict));
  return node;
}

Status Node::begin(bool strict) {
  if (auto saved = saved_file_.load(); saved.ok()) {
    saved_ = std::move(*saved);
  } else {
    saved_problem_ = saved.error().message;
    spdlog::warn("{}", saved_problem_);
    if (strict) return std::move(saved).error();
  }
  if (!facts_.xfrm_readable) {
    spdlog::warn("policies and SAs cannot be read: {}", facts_.xfrm_reason);
    if (strict) return Error{"xfrm: " + facts_.xfrm_reason};
  }
  EP_TRY(start_opensvc(strict));
  EP_TRY(load_policies(strict));
  topology_ = merged();
  plans_ = plan_devices(facts_, topology_, config_);
  EP_ASSIGN(left_out, identities_.assign(topology_, maps_));
  for (const auto& line : left_out) spdlog::warn("{}", line);
  EP_TRY(follow_table());
  EP_TRY(identities_.release(topology_, maps_));
  follow_devices(false);
  // Programs of a former layout counted until now.
  EP_TRY(programs_.release_former_maps(config_.pin_dir));
  drops_.start(programs_);
  follow_backstop();
  judge_mesh();
  save_topology();
  if (programs_.carried())
    spdlog::info("{}: the pinned maps were of another version or max_peers: their counters go on",
                 config_.pin_dir);
  else if (programs_.discarded())
    spdlog::warn("{}: the pinned maps are of an unknown version: counters begin anew",
                 config_.pin_dir);
  spdlog::info("watching {} peers on {} devices ({}){}", topology_.peers.size(),
               plans_.devices.size(), to_string(attachments_.mode()),
               programs_.adopted() ? ", counters of an earlier run go on" : "");
  return Ok{};
}

Status Node::load_policies(bool strict) {
  const auto now = this_moment();
  policies_.load();
  if (strict && !policies_.problem().empty()) return Error{policies_.problem()};
  if (policies_.lost()) policies_.recover(maps_, identities_, config_, now);
  if (!policies_.problem().empty())
    spdlog::error("{}; what is enforced stays enforced", policies_.problem());
  if (!programs_.adopted()) policies_.forget_spans();
  for (const auto& line : policies_.expire(now)) spdlog::warn("{}", line);
  // From now on a missing file is a lost one.
  policies_.save();
  return Ok{};
}

Topology Node::merged() {
  auto topology = merge_topology(config_, facts_, saved_, cluster_);
  const auto renamed = policies_.follow_names(saved_, topology);
  for (const auto& line : renamed) spdlog::info("{}", line);
  if (!renamed.empty()) policies_.save();
  policies_.apply(config_, topology);
  return topology;
}

void Node::on_kernel_events() {
  const auto woken = std::chrono::steady_clock::now();
  auto changes = watch_.drain();
  if (!changes.ok()) {
    spdlog::warn("{}", changes.error().message);
    return;
  }
  merge(pending_, *changes);
  if (!changes->links && !changes->addresses) return;
  // Devices first and alone: a new one is unwatched until its programs are attached.
  Changes devices;
  devices.links = changes->links;
  devices.addresses = changes->addresses;
  if (auto status = watch_.refresh(devices, facts_); !status.ok()) {
    spdlog::warn("{}", status.error().message);
    return;
  }
  pending_.links = pending_.addresses = false;
  pending_.routes = true;  // they went with the device or the address
  plans_ = plan_devices(facts_, topology_, config_, plans_.peer_ports);
  const int attached = attachments_.apply(plans_.devices, programs_);
  xdp_.apply(plan_xdp(plans_.devices, facts_, config_.xdp), programs_);
  if (attached == 0) return;
  gaps_.count += 1;
  gaps_.last = std::chrono::steady_clock::now() - woken;
  gaps_.total += gaps_.last;
  gaps_.new_device = std::chrono::steady_clock::now();
  spdlog::info("{} programs attached, {} us after the kernel told of the device", attached,
               gaps_.last.count() / 1000);
}

void Node::settle() {
  const auto changes = std::exchange(pending_, {});
  if (auto status = watch_.refresh(changes, facts_); !status.ok()) {
    spdlog::warn("{}", status.error().message);
    merge(pending_, changes);
    return;
  }
  if (changes.policies) backstop_.distrust();
  follow_topology();
}

void Node::follow_topology() {
  auto topology = merged();
  const bool changed = topology != topology_;
  topology_ = std::move(topology);
  // First, because somebody may have removed them: what else follows may take long.
  follow_backstop();
  auto plans = plan_devices(facts_, topology_, config_, plans_.peer_ports);
  std::vector<XfrmStateFact> integrity;
  for (const auto& state : facts_.states)
    if (state.protocol == 51 || state.null_encryption) integrity.push_back(state);
  const bool same_states = std::equal(
      integrity.begin(), integrity.end(), table_states_.begin(), table_states_.end(),
      [](const auto& a, const auto& b) { return a.spi == b.spi && a.protocol == b.protocol; });
  const bool table =
      changed || !same_states || plans.devices != plans_.devices || std::exchange(reloaded_, false);
  plans_ = std::move(plans);
  if (table) {
    auto assigned = identities_.assign(topology_, maps_);
    if (!assigned.ok()) spdlog::error("{}", assigned.error().message);
    if (auto status = follow_table(); !status.ok())
      spdlog::error("the former peer table stays: {}", status.error().message);
    else if (auto released = identities_.release(topology_, maps_); !released.ok())
      spdlog::error("{}", released.error().message);
  }
  if (changed) save_topology();
  // What somebody removed is told before the plan is carried out, which would put it back silently.
  restore();
  follow_devices(true);
  judge_mesh();
}

void Node::judge_mesh() {
  facts_.redirecting = redirecting_bridges(facts_);
  mesh_ = std::make_shared<const MeshAudit>(
      audit_now(topology_, facts_, vici_.facts(), cluster_, firewall_.nat()));
  judged_ = std::chrono::steady_clock::now();
}

std::shared_ptr<const MeshAudit> Node::audit() {
  on_kernel_events();
  pending_.states = true;
  settle();
  return mesh_;
}

Status Node::follow_table() {
  table_states_.clear();
  for (const auto& state : facts_.states)
    if (state.protocol == 51 || state.null_encryption) table_states_.push_back(state);
  auto spec =
      make_table_spec(config_.enforce, topology_, identities_, plans_.devices, facts_.states);
  spec.generation = ++generation_;
  // A peer that got the index of a former one must not be judged by that one's policy.
  EP_TRY(follow_policies());
  return programs_.set_table(spec);
}

Status Node::follow_policies() {
  return policies_.write(maps_, identities_, topology_, this_moment());
}

void Node::follow_devices(bool started) {
  const int attached = attachments_.apply(plans_.devices, programs_);
  xdp_.apply(plan_xdp(plans_.devices, facts_, config_.xdp), programs_);
  if (started && attached > 0) spdlog::info("{} programs attached", attached);
  std::vector<std::string> findings = topology_.findings;
  for (const auto& device : plans_.refused)
    findings.push_back(fmt::format("{}: not watched: {}", device.name, device.reason));
  for (const auto& finding : findings)
    if (std::find(logged_findings_.begin(), logged_findings_.end(), finding) ==
        logged_findings_.end())
      spdlog::warn("{}", finding);
  logged_findings_ = std::move(findings);
}

void Node::save_topology() {
  saved_ = topology_;
  if (!config_.discover) return;
  if (auto status = saved_file_.save(topology_); !status.ok()) {
    if (saved_problem_ != status.error().message) spdlog::warn("{}", status.error().message);
    saved_problem_ = status.error().message;
  } else {
    saved_problem_.clear();
  }
}

bool Node::on_flow_events() { return events_.drain() > 0; }

// Maps first: their folder is that of the links, too.
void Node::restore() {
  const auto now = std::chrono::steady_clock::now();
  const auto within = now - verified_.value_or(now);
  const auto maps = programs_.restore_pins(config_.pin_dir);
  auto missing = attachments_.verify(programs_);
  missing += xdp_.verify(programs_);
  verified_ = now;
  if (missing.programs + missing.pins + maps == 0) return;
  spdlog::warn("{} programs and {} pins had been removed by somebody; they are back",
               missing.programs, missing.pins + maps);
  restored_ = Restored{now, missing.programs, missing.pins + maps, within};
  if (missing.programs == 0) return;
  gaps_.count += 1;
  gaps_.last = within;
  gaps_.total += within;
}

void Node::tick() {
  restore();
  end_deadlines(this_moment());
  vici_.tick(std::chrono::steady_clock::now());
  log_charon();
  if (!watch_.xfrm_events() && facts_.xfrm_readable) pending_.policies = pending_.states = true;
  const bool rules = firewall_.tick(std::chrono::steady_clock::now());
  if (rules || (judged_ && std::chrono::steady_clock::now() - *judged_ >= kJudgeEvery)) {
    if (auto status = watch_.refresh_states(facts_); !status.ok())
      spdlog::warn("{}", status.error().message);
    judge_mesh();
  }
  evaluate();
}

void Node::on_charon_events() {
  if (vici_.advance(std::chrono::steady_clock::now())) log_charon();
}

// Once when it goes, once when it comes back.
void Node::log_charon() {
  const auto& facts = vici_.facts();
  if (vici_.off() || !vici_.asked() || facts.readable == charon_readable_) return;
  charon_readable_ = facts.readable;
  charon_seen_ = charon_seen_ || facts.readable;
  if (facts.readable)
    spdlog::info("vici: charon {} answers", facts.version);
  else
    spdlog::warn("vici: {}", facts.reason);
}

void Node::evaluate() {
  auto taken = snapshot();
  if (!taken.ok()) {
    spdlog::error("{}", taken.error().message);
    return;
  }
  policies_.follow(taken->peers, this_moment());
  read_flows(*taken);
  auto evaluation = evaluator_.evaluate(std::move(*taken));
  for (const auto& alarm : evaluation.changes)
    spdlog::log(alarm.state == AlarmState::kFiring ? spdlog::level::warn : spdlog::level::info,
                "alarm {} {}{}{}: {}", alarm.name, to_string(alarm.state),
                alarm.peer.empty() ? "" : " for ", alarm.peer, alarm.evidence);
  latest_->publish(std::make_shared<const Report>(std::move(evaluation.report)));
}

void Node::read_flows(const Snapshot& snapshot) {
  std::uint64_t seen = unprotected(snapshot.no_peer);
  for (const auto& peer : snapshot.peers) seen += unprotected(peer.counters);
  if (seen == unprotected_seen_) return;
  unprotected_seen_ = seen;
  auto flows = counters_.flows(maps_, identities_);
  if (flows.ok())
    flows_->publish(std::move(*flows));
  else
    spdlog::error("{}", flows.error().message);
}

std::vector<SourceStatus> Node::sources() const {
  std::vector<SourceStatus> sources{
      {"file", last_reload_successful_.value_or(true), last_reload_error_},
      firewall_.source(),
      {"policy", policies_.problem().empty(), policies_.problem()},
      {"routes", true, ""},
      {"saved", saved_problem_.empty(), saved_problem_},
      {"xfrm", facts_.xfrm_readable, facts_.xfrm_reason},
      {"xfrm_state", programs_.xfrm_state(),
       programs_.xfrm_state() ? "" : "this kernel cannot tell decrypted packets"},
  };
  // A charon in a container shows its socket to nobody: that is no source that fails.
  const bool expected = config_.vici != "auto" || charon_seen_;
  if (!vici_.off() && expected)
    sources.push_back({"vici", vici_.facts().readable, vici_.facts().reason});
  if (cluster_.state == OpensvcState::kReadable || cluster_.state == OpensvcState::kUnreadable)
    sources.insert(sources.begin() + 1, {"opensvc", cluster_.readable(), cluster_.reason});
  return sources;
}

Result<Snapshot> Node::snapshot() {
  Snapshot snapshot;
  snapshot.time = std::chrono::system_clock::now();
  snapshot.monotonic = std::chrono::steady_clock::now();
  snapshot.node = topology_.node;
  snapshot.instance = config_.instance;
  snapshot.daemon = true;
  for (const auto& peer : topology_.peers) {
    const auto id = identities_.peer(peer.name);
    PeerSnapshot entry{peer, {}};
    if (id != 0) {
      EP_ASSIGN(counters, counters_.peer(maps_, id));
      entry.counters = counters;
    }
    snapshot.peers.push_back(std::move(entry));
  }
  EP_ASSIGN(no_peer, counters_.peer(maps_, 0));
  snapshot.no_peer = no_peer;
  EP_ASSIGN(networks, counters_.networks(maps_, identities_));
  snapshot.networks = std::move(networks);
  EP_TRY(counters_.node(maps_, snapshot));
  snapshot.devices = attachments_.status();
  const auto xdp = xdp_.status();
  for (auto& device : snapshot.devices)
    if (const auto found = xdp.find(device.ifindex); found != xdp.end()) device.xdp = found->second;
  snapshot.gaps = gaps_;
  snapshot.xfrm_block = backstop_.snapshot();
  snapshot.restored = restored_;
  snapshot.sources = sources();
  drops_.read(snapshot, identities_);
  snapshot.maps = CounterReader::usage(maps_, identities_, programs_.table_entries(),
                                       programs_.capacity().slots);
  snapshot.findings = topology_.findings;
  snapshot.mesh = mesh_;
  if (auto errors = read_xfrm_stat(); errors.ok()) snapshot.xfrm_errors = std::move(*errors);
  snapshot.last_reload_successful = last_reload_successful_;
  snapshot.last_reload_error = last_reload_error_;
  return snapshot;
}

void Node::reload() {
  auto next = load_config(config_path_);
  std::string problem;
  if (!next.ok())
    problem = next.error().message;
  else if (const auto key = fixed_key_changed(config_, *next); !key.empty())
    problem = key + ": cannot change while espial runs (restart it)";
  last_reload_successful_ = problem.empty();
  last_reload_error_ = problem;
  if (!problem.empty()) {
    spdlog::error("reload: the running configuration stays: {}", problem);
    return;
  }
  config_ = std::move(*next);
  vici_.choose(config_.vici);
  // `config forget` may have edited the file in the meantime.
  if (auto saved = saved_file_.load(); saved.ok()) saved_ = std::move(*saved);
  reloaded_ = true;
  follow_topology();
  spdlog::info("configuration read again");
}

}  // namespace espial
