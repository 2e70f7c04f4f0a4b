// SPDX-License-Identifier: Apache-2.0
// A running node follows its facts: topology, table, devices; what others removed comes back.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "daemon/audit_now.h"
#include "daemon/moment.h"
#include "daemon/node.h"
#include "daemon/world.h"
#include "kernel/table_spec.h"
#include "sources/proc/redirects.h"

namespace espial {
namespace {

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

Topology Node::merged() {
  auto merged = espial::merge(config_, facts_, saved_, cluster_, policies_);
  for (const auto& line : merged.renamed) spdlog::info("{}", line);
  if (!merged.renamed.empty()) policies_.save();
  return std::move(merged.topology);
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
  spdlog::info("{} programs attached, {} us after the kernel announced the device", attached,
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
      spdlog::error("keeping the previous peer table: {}", status.error().message);
    else if (auto released = identities_.release(topology_, maps_); !released.ok())
      spdlog::error("{}", released.error().message);
  }
  if (changed) save_topology();
  // What somebody removed is told before the plan is carried out, which would put it back silently.
  restore();
  follow_devices(true);
  judge_mesh();
  probes_.follow(config_.verify, topology_, facts_);
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

bool Node::on_flow_events(std::vector<FlowRecord>* tell) {
  if (tell == nullptr) return events_.drain() > 0;
  *tell = events_.take(identities_);
  return !tell->empty();
}

// Maps first: their folder is that of the links, too.
void Node::restore() {
  const auto now = std::chrono::steady_clock::now();
  const auto within = now - verified_.value_or(now);
  const auto maps = programs_.restore_pins(config_.pin_dir);
  auto missing = attachments_.verify(programs_);
  missing += xdp_.verify(programs_);
  verified_ = now;
  if (missing.programs + missing.pins + maps == 0) return;
  spdlog::warn("{} programs and {} pins were removed externally; reattached", missing.programs,
               missing.pins + maps);
  restored_ = Restored{now, missing.programs, missing.pins + maps, within};
  if (missing.programs == 0) return;
  gaps_.count += 1;
  gaps_.last = within;
  gaps_.total += within;
}

}  // namespace espial
