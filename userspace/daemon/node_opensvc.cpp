// SPDX-License-Identifier: Apache-2.0
// OpenSVC in a running node.
#include <spdlog/spdlog.h>

#include "daemon/node.h"
#include "daemon/privileges.h"

namespace espial {
namespace {

// The start waits for names in /etc/hosts, not for a name server that does not answer.
constexpr int kFirstMs = 100;

// A file that was there and is gone is a source that is down, not a node without an agent.
void expect(OpensvcFacts& facts, bool known) {
  if (known && facts.state == OpensvcState::kAbsent) facts.state = OpensvcState::kUnreadable;
}

bool silent(const OpensvcFacts& facts) { return facts.state == OpensvcState::kUnreadable; }

}  // namespace

Status Node::start_opensvc(bool strict) {
  if (!config_.opensvc || !config_.discover) return Ok{};
  auto watch = OpensvcWatch::start({config_.opensvc_conf, config_.opensvc_socket}, [] {
    if (const auto status = drop_privileges(); !status.ok())
      spdlog::warn("OpenSVC: {}", status.error().message);
  });
  if (watch.ok()) {
    opensvc_ = std::move(*watch);
    cluster_ = opensvc_->first(kFirstMs);
  } else {
    cluster_.state = OpensvcState::kUnreadable;
    cluster_.reason = watch.error().message;
  }
  expect(cluster_, !saved_.networks.empty());
  if (!silent(cluster_)) return Ok{};
  spdlog::warn("OpenSVC: keeping the last known state: {}", cluster_.reason);
  if (strict) return Error{"OpenSVC: " + cluster_.reason};
  return Ok{};
}

void Node::on_opensvc() {
  auto facts = opensvc_->take();
  expect(facts, cluster_.state != OpensvcState::kAbsent);
  if (facts == cluster_) return;
  const bool was_silent = silent(cluster_);
  if (silent(facts) && facts.reason != cluster_.reason)
    spdlog::warn("OpenSVC: keeping the last known state: {}", facts.reason);
  if (was_silent && facts.readable()) spdlog::info("OpenSVC: {} can be read again", facts.source);
  cluster_ = std::move(facts);
  follow_topology();
}

}  // namespace espial
