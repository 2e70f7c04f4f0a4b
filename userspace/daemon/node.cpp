// SPDX-License-Identifier: Apache-2.0
#include "daemon/node.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "config/alerts_file.h"
#include "config/config_file.h"
#include "daemon/moment.h"

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

// What had to be loaded, and why.
void tell(const ProgramUse& use) {
  if (use.loaded == 0)
    spdlog::info("{} pinned programs adopted, none loaded", use.adopted);
  else
    spdlog::info("{} programs loaded: {}", use.loaded, use.why);
  if (!use.problem.empty())
    spdlog::warn("programs could not be pinned; the next start loads them again: {}", use.problem);
}

}  // namespace

Node::Node(Config config, std::string config_path, KernelWatch watch, KernelFacts facts,
           Programs programs, Maps maps, Identities identities, Attachments attachments,
           FlowEvents events, ViciWatch vici, ProbeWatch probes)
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
      probes_(std::move(probes)),
      keeper_(config_.state_dir),
      latest_(std::make_shared<LatestReport>()),
      flows_(std::make_shared<LatestFlows>()) {}

Result<std::unique_ptr<Node>> Node::start(Config config, std::string config_path, bool strict) {
  // Events are listened to before the first dump: nothing falls between.
  EP_ASSIGN(watch, KernelWatch::open());
  EP_ASSIGN(facts, watch.read());
  EP_ASSIGN(programs, Programs::load(config.pin_dir, limits_of(config)));
  tell(programs.use());
  EP_ASSIGN(maps, Maps::of(programs));
  EP_ASSIGN(identities, Identities::load(maps));
  EP_ASSIGN(attachments, Attachments::open(config.pin_dir, config.state_dir, programs));
  EP_ASSIGN(events, FlowEvents::open(maps));
  EP_ASSIGN(vici, ViciWatch::open(config.vici));
  EP_ASSIGN(probes, ProbeWatch::open());
  std::unique_ptr<Node> node(new Node(std::move(config), std::move(config_path), std::move(watch),
                                      std::move(facts), std::move(programs), std::move(maps),
                                      std::move(identities), std::move(attachments),
                                      std::move(events), std::move(vici), std::move(probes)));
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
  keeper_.restore(evaluator_.alarms(), this_moment());
  topology_ = merged();
  plans_ = plan_devices(facts_, topology_, config_);
  EP_ASSIGN(left_out, identities_.assign(topology_, maps_));
  for (const auto& line : left_out) spdlog::warn("{}", line);
  EP_TRY(follow_table());
  EP_TRY(identities_.release(topology_, maps_));
  follow_devices(false);
  // Programs of a former layout counted until now.
  EP_TRY(programs_.release_former_maps(config_.pin_dir));
  if (programs_.carried())
    spdlog::info(
        "{}: the pinned maps had another version or max_peers; their counters were carried over",
        config_.pin_dir);
  else if (programs_.discarded())
    spdlog::warn("{}: the pinned maps have an unknown version; counters start at zero",
                 config_.pin_dir);
  spdlog::info("watching {} peers on {} devices ({}){}", topology_.peers.size(),
               plans_.devices.size(), to_string(attachments_.mode()),
               programs_.adopted() ? ", continuing the counters of an earlier run" : "");
  drops_.start(programs_);
  follow_backstop();
  judge_mesh();
  save_topology();
  probes_.follow(config_.verify, topology_, facts_);
  if (strict && !probes_.problem().empty()) return Error{probes_.problem()};
  // charon says only once why it makes no SA: from the first moment on there is somebody to hear
  // it.
  vici_.tick(std::chrono::steady_clock::now());
  return Ok{};
}

Status Node::load_policies(bool strict) {
  const auto now = this_moment();
  policies_.load();
  if (strict && !policies_.problem().empty()) return Error{policies_.problem()};
  if (policies_.lost()) policies_.recover(maps_, identities_, config_, now);
  if (!policies_.problem().empty())
    spdlog::error("{}; peers in enforce stay in enforce", policies_.problem());
  if (!programs_.adopted()) policies_.forget_spans();
  for (const auto& line : policies_.expire(now)) spdlog::warn("{}", line);
  // From now on a missing file is a lost one.
  policies_.save();
  return Ok{};
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
  if (probes_.problem().empty())
    path_mtu_.tick(config_.verify, topology_, facts_, std::chrono::steady_clock::now());
  evaluate();
  keeper_.follow(evaluator_.alarms(), this_moment());
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

void Node::reload() {
  auto next = load_config(config_path_);
  const auto alerts = load_alerts(config_path_);
  std::string problem;
  if (!next.ok())
    problem = next.error().message;
  else if (alerts.ok() && *alerts != alerts_)
    problem = "alerts: cannot change while espial runs (restart it)";
  else if (const auto key = fixed_key_changed(config_, *next); !key.empty())
    problem = key + ": cannot change while espial runs (restart it)";
  last_reload_successful_ = problem.empty();
  last_reload_error_ = problem;
  if (!problem.empty()) {
    spdlog::error("reload rejected, keeping the running configuration: {}", problem);
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
