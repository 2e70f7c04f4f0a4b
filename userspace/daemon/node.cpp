// SPDX-License-Identifier: Apache-2.0
#include "daemon/node.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "daemon/instance/now.h"
#include "daemon/next_config.h"
#include "exporter/documents/alarms_document.h"
#include "exporter/documents/modes_document.h"
#include "model/contested.h"

namespace espial {
namespace {

constexpr std::chrono::seconds kJudgeEvery{
    10};  // for what changes without an event: lifetimes, sysctls

}  // namespace

Node::Node(Config config, std::string config_path, Opened opened)
    : config_(std::move(config)),
      config_path_(std::move(config_path)),
      facts_(std::move(opened.facts), config_.state_dir),
      data_plane_(std::move(opened.data_plane)),
      enforcement_(config_.state_dir),
      probes_(std::move(opened.probes)),
      keeper_(config_.state_dir) {}

Result<std::unique_ptr<Node>> Node::start(Config config, std::string config_path, bool strict) {
  // Events are subscribed before the first dump, so that no change is missed.
  EP_ASSIGN(watch, KernelWatch::open());
  EP_ASSIGN(kernel, watch.read());
  EP_ASSIGN(data_plane, DataPlane::open(config));
  EP_ASSIGN(vici, ViciWatch::open(config.vici));
  EP_ASSIGN(probes, ProbeWatch::open());
  std::unique_ptr<Node> node(new Node(
      std::move(config), std::move(config_path),
      {.facts = {.watch = std::move(watch), .kernel = std::move(kernel), .vici = std::move(vici)},
       .data_plane = std::move(data_plane),
       .probes = std::move(probes)}));
  EP_TRY(node->begin(strict));
  return node;
}

Status Node::begin(bool strict) {
  EP_TRY(facts_.begin(config_, strict));
  EP_TRY(enforcement_.begin(data_plane_, config_, strict));
  keeper_.restore(evaluator_.alarms(), this_moment());
  topology_ = merged();
  (void)data_plane_.plan(config_, topology_, facts_.kernel());
  EP_ASSIGN(left_out, data_plane_.assign(topology_));
  without_index_ = std::move(left_out);
  EP_TRY(follow_table());
  EP_TRY(data_plane_.release(topology_));
  (void)data_plane_.attach(facts_.kernel(), config_.xdp);
  log_findings();
  // Programs of a former layout have counted until now.
  EP_TRY(data_plane_.end_former());
  spdlog::info("watching {} peers on {} devices ({}){}", topology_.peers.size(),
               data_plane_.plans().devices.size(), to_string(data_plane_.mode()),
               data_plane_.adopted() ? ", continuing the counters of an earlier run" : "");
  data_plane_.watch_drops();
  data_plane_.mirror_sas();
  facts_.refresh_states();  // a dump that begins after the mirror does
  if (follow_sas()) EP_TRY(follow_table());
  enforcement_.follow_backstop(config_, topology_, facts_.kernel());
  judge_mesh();
  facts_.save(topology_, config_);
  probes_.follow(config_.verify, topology_, facts_.kernel());
  if (strict && !probes_.problem().empty()) return Error{probes_.problem()};
  // charon logs only once why it makes no SA: so its log is read from the very beginning.
  facts_.ask_charon();
  return Ok{};
}

void Node::on_kernel_events() {
  const auto woken = std::chrono::steady_clock::now();
  if (facts_.on_kernel_events())
    data_plane_.follow_devices(config_, topology_, facts_.kernel(), woken);
}

void Node::settle() {
  const auto changes = facts_.settle();
  if (!changes) return;
  if (changes->policies) enforcement_.distrust_backstop();
  follow_topology();
}

void Node::on_opensvc() {
  if (facts_.on_opensvc()) follow_topology();
}

void Node::on_probe_events() {
  probes_.advance([this](const std::string& peer) { return data_plane_.counters(peer); }, *mesh_);
}

void Node::tick() {
  data_plane_.restore();
  if (follow_sas()) replace_table();
  if (enforcement_.end_deadlines(this_moment())) follow_topology();
  const bool rules = facts_.tick();
  if (rules || (judged_ && std::chrono::steady_clock::now() - *judged_ >= kJudgeEvery)) {
    facts_.refresh_states();
    judge_mesh();
  }
  if (probes_.problem().empty()) facts_.follow_path_mtu(config_.verify, topology_);
  evaluate();
  keeper_.follow(evaluator_.alarms(), this_moment());
}

Topology Node::merged() {
  auto topology = enforcement_.merged(config_, facts_);
  for (auto& line : find_contested(topology).findings) topology.findings.push_back(std::move(line));
  return topology;
}

bool Node::follow_sas() {
  const auto& states = facts_.kernel().states;
  std::string why_not;
  if (!config_.spi_proof)
    why_not = "spi_proof: false";
  else if (!facts_.kernel().xfrm_readable)
    why_not = "the SAD is not readable";
  else if (ipsec_in_user_space(facts_.charon(), states))
    why_not = "charon's SAs are not in the kernel: IPsec runs in user space";
  else if (states.empty() && !facts_.charon_known())
    why_not = "the kernel has no SA, and charon was not asked yet";
  return data_plane_.follow_sas(facts_.kernel(), std::move(why_not));
}

void Node::follow_topology() {
  auto topology = merged();
  const bool changed = topology != topology_;
  topology_ = std::move(topology);
  // First, because programs may have been removed, and the rest may take long.
  enforcement_.follow_backstop(config_, topology_, facts_.kernel());
  const bool devices = data_plane_.plan(config_, topology_, facts_.kernel());
  const bool same_ipsec = data_plane_.knows(topology_, facts_.kernel());
  if (changed || !same_ipsec || devices || std::exchange(reloaded_, false)) replace_table();
  if (changed) facts_.save(topology_, config_);
  // Removed programs are reported before the plan is carried out, which would reattach them
  // silently.
  data_plane_.restore();
  if (const int attached = data_plane_.attach(facts_.kernel(), config_.xdp); attached > 0)
    spdlog::info("{} programs attached", attached);
  log_findings();
  judge_mesh();
  probes_.follow(config_.verify, topology_, facts_.kernel());
}

void Node::replace_table() {
  if (auto assigned = data_plane_.assign(topology_); !assigned.ok())
    spdlog::error("{}", assigned.error().message);
  else
    without_index_ = std::move(*assigned);
  if (auto status = follow_table(); !status.ok())
    note_table("the previous peer table is kept: " + status.error().message);
  else if (auto released = data_plane_.release(topology_); !released.ok())
    spdlog::error("{}", released.error().message);
}

Status Node::follow_table() {
  const auto table = data_plane_.next_table(config_.enforce, topology_, facts_.kernel());
  // A peer that was assigned the index of a former peer must not inherit its mode.
  EP_TRY(enforcement_.write(data_plane_, topology_));
  EP_ASSIGN(left_out, data_plane_.set_table(table));
  left_out.insert(left_out.begin(), without_index_.begin(), without_index_.end());
  note_table(left_out.empty() ? "" : fmt::format("not watched: {}", fmt::join(left_out, "; ")));
  return Ok{};
}

void Node::note_table(std::string problem) {
  if (problem == table_problem_) return;
  table_problem_ = std::move(problem);
  if (table_problem_.empty())
    spdlog::info("peer table: everything fits again");
  else
    spdlog::error("peer table: {}", table_problem_);
}

void Node::log_findings() {
  auto findings = topology_.findings;
  for (const auto& device : data_plane_.plans().refused)
    findings.push_back(fmt::format("{}: not watched: {}", device.name, device.reason));
  facts_.log_findings(std::move(findings));
}

void Node::judge_mesh() {
  mesh_ = std::make_shared<const MeshAudit>(facts_.audit(topology_));
  judged_ = std::chrono::steady_clock::now();
}

std::shared_ptr<const MeshAudit> Node::audit() {
  on_kernel_events();
  facts_.states_changed();
  settle();
  return mesh_;
}

void Node::reload() {
  auto next = next_config(config_path_, config_, receivers_.alerts());
  last_reload_successful_ = next.ok();
  last_reload_error_ = next.ok() ? "" : next.error().message;
  if (!next.ok()) {
    spdlog::error("reload rejected, keeping the running configuration: {}", last_reload_error_);
    return;
  }
  config_ = std::move(*next);
  facts_.reload(config_);
  reloaded_ = true;
  follow_topology();
  spdlog::info("configuration read again");
}

nlohmann::json Node::mode_command(const ModeRequest& request) {
  const auto now = this_moment();
  if (enforcement_.end_deadlines(now)) follow_topology();
  if (request.kind == ModeRequest::Kind::kShow) {
    auto taken = snapshot();
    if (!taken.ok()) return error_document(taken.error());
    enforcement_.follow(taken->peers, now);
    return modes_document({.snapshot = *taken,
                           .modes = enforcement_.modes(),
                           .enforce = config_.enforce,
                           .in_force = modes_in_force(data_plane_.maps(), data_plane_.identities(),
                                                      taken->peers, now),
                           .now = now});
  }
  auto plan = set_mode(request, now);
  if (!plan.ok()) return error_document(plan.error());
  return mode_answer(*plan, topology_, now);
}

Result<ModePlan> Node::set_mode(const ModeRequest& request, const Moment& now) {
  EP_ASSIGN(taken, snapshot());
  EP_ASSIGN(flows, data_plane_.flows());
  EP_ASSIGN(plan,
            enforcement_.command(request, {taken.peers, flows, mesh_.get()}, config_.enforce, now));
  if (!plan.refused.empty()) return plan;
  follow_topology();
  // A deadline may change although the modes do not.
  EP_TRY(enforcement_.write(data_plane_, topology_));
  evaluate();
  for (const auto& name : plan.changed) {
    const auto* peer = topology_.find(name);
    if (peer == nullptr) continue;
    spdlog::info("{}: mode {} by {}", name, to_string(peer->mode), to_string(peer->mode_from));
    if (data_plane_.identities().peer(name) == 0)
      plan.notes.push_back(name + ": has no counters and no mode in force (raise max_peers)");
  }
  return plan;
}

void Node::evaluate() {
  auto taken = snapshot();
  if (!taken.ok()) {
    spdlog::error("{}", taken.error().message);
    return;
  }
  enforcement_.follow(taken->peers, this_moment());
  data_plane_.publish_flows(*taken);
  evaluator_.set_coverage_target(config_.coverage_target);
  std::shared_ptr<const Probing> probing;
  if (auto probes = probes_.read()) {
    facts_.path_mtu().add_to(*probes, topology_);
    probing = std::make_shared<const Probing>(std::move(*probes));
  }
  auto evaluation = evaluator_.evaluate(std::move(*taken), std::move(probing));
  alarm_log_.write(evaluation.changes);
  receivers_.publish(evaluation.report.alarms, evaluation.report.snapshot.time);
  latest_->publish(std::make_shared<const Report>(std::move(evaluation.report)));
}

Result<Snapshot> Node::snapshot() {
  EP_ASSIGN(snapshot, data_plane_.snapshot({.topology = topology_,
                                            .instance = config_.instance,
                                            .backstop = enforcement_.backstop(),
                                            .mesh = mesh_,
                                            .sources = sources()}));
  if (auto source = probes_.source()) snapshot.sources.push_back(std::move(*source));
  snapshot.last_reload_successful = last_reload_successful_;
  snapshot.last_reload_error = last_reload_error_;
  if (last_reload_error_.empty() && !table_problem_.empty()) {
    snapshot.last_reload_successful = false;
    snapshot.last_reload_error = "peer table: " + table_problem_;
  }
  return snapshot;
}

std::vector<SourceStatus> Node::sources() const {
  std::vector<SourceStatus> sources{
      {"alarms", keeper_.problem().empty(), keeper_.problem()},
      {"file", last_reload_successful_.value_or(true), last_reload_error_}};
  if (auto opensvc = facts_.opensvc_source()) sources.push_back(std::move(*opensvc));
  sources.push_back(facts_.firewall_source());
  sources.push_back(enforcement_.source());
  sources.push_back({"routes", true, ""});
  sources.push_back(facts_.saved_source());
  sources.push_back({"table", table_problem_.empty(), table_problem_});
  sources.push_back(facts_.xfrm_source());
  sources.push_back(data_plane_.source());
  if (config_.spi_proof) sources.push_back(data_plane_.spi_source());
  if (auto charon = facts_.charon_source(config_)) sources.push_back(std::move(*charon));
  // Not a source of facts, but it can fail like one, and is reported in the same way.
  for (const auto& receiver : notified().receivers)
    sources.push_back({receiver.receiver, receiver.problem.empty(), receiver.problem});
  return sources;
}

nlohmann::json Node::alarms() const {
  std::vector<std::string> peers;
  for (const auto& peer : topology_.peers) peers.push_back(peer.name);
  return alarms_document({.node = topology_.node,
                          .instance = config_.instance,
                          .time = std::chrono::system_clock::now(),
                          .saved = std::nullopt,
                          .peers = std::move(peers),
                          .engine = evaluator_.alarms(),
                          .messages = alarm_log_.counts()});
}

void Node::save_alarms() { keeper_.finish(evaluator_.alarms(), this_moment()); }

}  // namespace espial
