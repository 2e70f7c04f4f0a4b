// SPDX-License-Identifier: Apache-2.0
#include "daemon/node_facts.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "daemon/instance/now.h"
#include "daemon/watch/privileges.h"
#include "sources/proc/sysctls.h"

namespace espial {
namespace {

// The start waits long enough for names in /etc/hosts, but not for a name server that does not
// answer.
constexpr int kFirstMs = 100;

void merge(Changes& sum, const Changes& more) {
  sum.links |= more.links;
  sum.addresses |= more.addresses;
  sum.routes |= more.routes;
  sum.neighbours |= more.neighbours;
  sum.fdb |= more.fdb;
  sum.policies |= more.policies;
  sum.states |= more.states;
}

// If the file existed and is gone, the source is down; it is not a node without an agent.
void expect(OpensvcFacts& facts, bool known) {
  if (known && facts.state == OpensvcState::kAbsent) facts.state = OpensvcState::kUnreadable;
}

bool silent(const OpensvcFacts& facts) { return facts.state == OpensvcState::kUnreadable; }

}  // namespace

NodeFacts::NodeFacts(Opened opened, const std::string& state_dir)
    : watch_(std::move(opened.watch)),
      kernel_(std::move(opened.kernel)),
      vici_(std::move(opened.vici)),
      saved_file_(state_dir) {}

Status NodeFacts::begin(const Config& config, bool strict) {
  if (auto saved = saved_file_.load(); saved.ok()) {
    saved_ = std::move(*saved);
  } else {
    saved_problem_ = saved.error().message;
    spdlog::warn("{}", saved_problem_);
    if (strict) return std::move(saved).error();
  }
  if (!kernel_.xfrm_readable) {
    spdlog::warn("policies and SAs cannot be read: {}", kernel_.xfrm_reason);
    if (strict) return Error{"xfrm: " + kernel_.xfrm_reason};
  }
  return start_opensvc(config, strict);
}

void NodeFacts::reload(const Config& config) {
  vici_.choose(config.vici);
  // `config forget` may have edited the file in the meantime.
  if (auto saved = saved_file_.load(); saved.ok()) saved_ = std::move(*saved);
}

bool NodeFacts::on_kernel_events() {
  auto changes = watch_.drain();
  if (!changes.ok()) {
    spdlog::warn("{}", changes.error().message);
    return false;
  }
  merge(pending_, *changes);
  if (!changes->links && !changes->addresses) return false;
  // Devices first, and separately: a new one is not watched until its programs are attached.
  Changes devices;
  devices.links = changes->links;
  devices.addresses = changes->addresses;
  if (auto status = watch_.refresh(devices, kernel_); !status.ok()) {
    spdlog::warn("{}", status.error().message);
    return false;
  }
  pending_.links = pending_.addresses = false;
  pending_.routes = true;  // routes vanish with the device or the address
  return true;
}

std::optional<Changes> NodeFacts::settle() {
  auto changes = std::exchange(pending_, {});
  if (auto status = watch_.refresh(changes, kernel_); !status.ok()) {
    spdlog::warn("{}", status.error().message);
    merge(pending_, changes);
    return std::nullopt;
  }
  return changes;
}

void NodeFacts::refresh_states() {
  if (auto status = watch_.refresh_states(kernel_); !status.ok())
    spdlog::warn("{}", status.error().message);
}

void NodeFacts::on_charon_events() {
  if (vici_.advance(std::chrono::steady_clock::now())) log_charon();
}

void NodeFacts::ask_charon() { vici_.tick(std::chrono::steady_clock::now()); }

// Once when it fails, once when it recovers.
void NodeFacts::log_charon() {
  const auto& facts = vici_.facts();
  if (vici_.off() || !vici_.asked() || facts.readable == charon_readable_) return;
  charon_readable_ = facts.readable;
  charon_seen_ = charon_seen_ || facts.readable;
  if (facts.readable)
    spdlog::info("vici: charon {} answers", facts.version);
  else
    spdlog::warn("vici: {}", facts.reason);
}

Status NodeFacts::start_opensvc(const Config& config, bool strict) {
  if (!config.opensvc || !config.discover) return Ok{};
  auto watch = OpensvcWatch::start({config.opensvc_conf, config.opensvc_socket}, [] {
    if (const auto status = drop_privileges(); !status.ok())
      spdlog::warn("OpenSVC: {}", status.error().message);
  });
  if (watch.ok()) {
    opensvc_watch_ = std::move(*watch);
    opensvc_ = opensvc_watch_->first(kFirstMs);
  } else {
    opensvc_.state = OpensvcState::kUnreadable;
    opensvc_.reason = watch.error().message;
  }
  expect(opensvc_, !saved_.networks.empty());
  if (!silent(opensvc_)) return Ok{};
  spdlog::warn("OpenSVC: keeping the last known state: {}", opensvc_.reason);
  if (strict) return Error{"OpenSVC: " + opensvc_.reason};
  return Ok{};
}

bool NodeFacts::on_opensvc() {
  auto facts = opensvc_watch_->take();
  expect(facts, opensvc_.state != OpensvcState::kAbsent);
  if (facts == opensvc_) return false;
  const bool was_silent = silent(opensvc_);
  if (silent(facts) && facts.reason != opensvc_.reason)
    spdlog::warn("OpenSVC: keeping the last known state: {}", facts.reason);
  if (was_silent && facts.readable()) spdlog::info("OpenSVC: {} can be read again", facts.source);
  opensvc_ = std::move(facts);
  return true;
}

bool NodeFacts::tick() {
  ask_charon();
  log_charon();
  if (!watch_.xfrm_events() && kernel_.xfrm_readable) pending_.policies = pending_.states = true;
  return firewall_.tick(std::chrono::steady_clock::now());
}

void NodeFacts::follow_path_mtu(const ConfigVerify& config, const Topology& topology) {
  path_mtu_.tick(config, topology, kernel_, std::chrono::steady_clock::now());
}

MeshAudit NodeFacts::audit(const Topology& topology) {
  kernel_.redirecting = redirecting_bridges(kernel_);
  return audit_now(topology, kernel_, vici_.facts(), opensvc_, firewall_.nat());
}

void NodeFacts::save(const Topology& topology, const Config& config) {
  saved_ = topology;
  if (!config.discover) return;
  if (auto status = saved_file_.save(topology); !status.ok()) {
    if (saved_problem_ != status.error().message) spdlog::warn("{}", status.error().message);
    saved_problem_ = status.error().message;
  } else {
    saved_problem_.clear();
  }
}

void NodeFacts::log_findings(std::vector<std::string> findings) {
  for (const auto& finding : findings)
    if (std::find(logged_findings_.begin(), logged_findings_.end(), finding) ==
        logged_findings_.end())
      spdlog::warn("{}", finding);
  logged_findings_ = std::move(findings);
}

SourceStatus NodeFacts::saved_source() const {
  return {"saved", saved_problem_.empty(), saved_problem_};
}

SourceStatus NodeFacts::xfrm_source() const {
  return {"xfrm", kernel_.xfrm_readable, kernel_.xfrm_reason};
}

std::optional<SourceStatus> NodeFacts::charon_source(const Config& config) const {
  // The socket of a charon in a container is not accessible: that is not a failing source.
  const bool expected = config.vici != "auto" || charon_seen_;
  if (vici_.off() || !expected) return std::nullopt;
  return SourceStatus{"vici", vici_.facts().readable, vici_.facts().reason};
}

std::optional<SourceStatus> NodeFacts::opensvc_source() const {
  if (opensvc_.state != OpensvcState::kReadable && opensvc_.state != OpensvcState::kUnreadable)
    return std::nullopt;
  return SourceStatus{"opensvc", opensvc_.readable(), opensvc_.reason};
}

}  // namespace espial
