// SPDX-License-Identifier: Apache-2.0
#include "model/modes/mode_plan.h"

#include <algorithm>

#include "model/traffic/offload.h"

namespace espial {
namespace {

using std::chrono::nanoseconds;

std::string duration_text(nanoseconds duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  if (seconds < 120) return std::to_string(seconds) + " s";
  return std::to_string(seconds / 60) + " min";
}

std::uint64_t would_drop_packets(const PeerCounters& counters) {
  std::uint64_t sum = 0;
  for (const auto& direction : counters.enforced[at(Action::kWouldDrop)])
    for (const auto& cell : direction) sum += cell.packets;
  return sum;
}

// How long ago; a clock that was set back makes it now.
nanoseconds age(WallTime then, const Moment& now) {
  return std::max(nanoseconds{now.wall - then}, nanoseconds{0});
}

std::string audit_objection(const Span* span, const Moment& now, std::chrono::minutes audit) {
  if (span == nullptr || span->mode != Mode::AUDIT || !same_boot(span->since, now))
    return "audit is not running (set audit and wait " + duration_text(audit) + ")";
  const auto ran = now.monotonic - span->since.monotonic;
  if (ran >= audit) return {};
  return "audit has run for " + duration_text(ran) + " of " + duration_text(audit);
}

// One command, peer by peer.
class ModePlanner {
 public:
  ModePlanner(const ModeRequest& request, const PeerModes& modes, const ModeContext& context,
              const Moment& now, std::chrono::minutes audit)
      : request_(request), context_(context), now_(now), audit_(audit) {
    plan_.modes = modes;
  }

  void set(const PeerSnapshot& peer) {
    const auto& name = peer.peer.name;
    const Mode next = request_.mode.value_or(peer.peer.by_file.mode);
    auto& peer_mode = plan_.modes[name];
    const bool begins = next == Mode::ENFORCE && peer.peer.mode != Mode::ENFORCE;
    if (begins && !request_.force && refuse(peer, peer_mode)) return;
    // A deadline for what is in force for good would only weaken it.
    const bool for_good = peer.peer.mode == Mode::ENFORCE && !peer_mode.confirm;
    if (request_.confirm_within && for_good) {
      plan_.notes.push_back(name + ": enforce is already in force: nothing to confirm");
    } else if (request_.confirm_within) {
      const Mode before = peer_mode.confirm ? peer_mode.confirm->before : peer.peer.mode;
      peer_mode.confirm = Confirmation{{now_.wall + *request_.confirm_within,
                                        now_.monotonic + *request_.confirm_within, now_.boot},
                                       before};
    } else {
      peer_mode.confirm.reset();
    }
    peer_mode.mode = request_.mode;
    plan_.changed.push_back(name);
  }

  void confirm(const PeerSnapshot& peer) {
    const auto it = plan_.modes.find(peer.peer.name);
    if (it == plan_.modes.end() || !it->second.confirm) return;
    it->second.confirm.reset();
    plan_.changed.push_back(peer.peer.name);
  }

  void refuse(const std::string& peer, std::string reason) {
    plan_.refused.push_back({peer, {std::move(reason)}, {}});
  }

  // The mode of a peer that is gone can only be forgotten.
  bool forget(const std::string& name) {
    if (plan_.modes.erase(name) == 0) return false;
    plan_.changed.push_back(name);
    plan_.notes.push_back(name + ": no such peer; its mode is forgotten");
    return true;
  }

  ModePlan finish(const PeerModes& before) {
    if (!plan_.refused.empty()) {
      plan_.modes = before;
      plan_.changed.clear();
    }
    return std::move(plan_);
  }
  [[nodiscard]] bool idle() const { return plan_.changed.empty() && plan_.refused.empty(); }

 private:
  bool refuse(const PeerSnapshot& peer, const PeerMode& peer_mode) {
    auto reasons = objections(peer, &peer_mode, now_, audit_);
    if (const auto* mesh = context_.mesh ? context_.mesh->find(peer.peer.name) : nullptr)
      if (auto offload = offload_objection(*mesh); !offload.empty())
        reasons.push_back(std::move(offload));
    if (reasons.empty()) return false;
    ModeRefusal refusal{peer.peer.name, std::move(reasons), {}};
    for (const auto& flow : context_.flows)
      if (flow.peer == peer.peer.name && flow.enforced[at(Action::kWouldDrop)] > 0 &&
          age(flow.last, now_) <= std::max<nanoseconds>(audit_, std::chrono::minutes{1}))
        refusal.flows.push_back(flow);
    plan_.refused.push_back(std::move(refusal));
    return true;
  }

  const ModeRequest& request_;
  const ModeContext& context_;
  const Moment& now_;
  std::chrono::minutes audit_;
  ModePlan plan_;
};

Result<ModePlan> plan_all(const ModeRequest& request, ModePlanner planner, const PeerModes& modes,
                          const std::vector<PeerSnapshot>& peers) {
  for (const auto& peer : peers) {
    if (peer.peer.state == PeerState::kCandidate) continue;
    if (request.kind == ModeRequest::Kind::kSet)
      planner.set(peer);
    else
      planner.confirm(peer);
  }
  if (planner.idle())
    planner.refuse(request.peer, request.kind == ModeRequest::Kind::kSet
                                     ? "no peers (see espial status)"
                                     : "nothing to confirm");
  return planner.finish(modes);
}

}  // namespace

bool lowers(const ModeRequest& request) {
  return request.kind == ModeRequest::Kind::kSet && request.mode && *request.mode != Mode::ENFORCE;
}

std::vector<std::string> objections(const PeerSnapshot& peer, const PeerMode* peer_mode,
                                    const Moment& now, std::chrono::minutes audit) {
  std::vector<std::string> out;
  const Span* span = peer_mode != nullptr && peer_mode->span ? &*peer_mode->span : nullptr;
  if (auto reason = audit_objection(span, now, audit); !reason.empty())
    out.push_back(std::move(reason));
  const auto encrypted = encrypted_packets(peer.counters);
  if (encrypted == 0 || (span != nullptr && encrypted <= span->encrypted))
    out.emplace_back("no encrypted packet was seen since audit began: IPsec may not work at all");
  const auto& last = peer.counters.last_enforced[at(Action::kWouldDrop)];
  if (last && age(*last, now) < audit)
    out.push_back(std::to_string(would_drop_packets(peer.counters)) +
                  " packets would have been dropped, the last " + duration_text(age(*last, now)) +
                  " ago (see espial flows)");
  return out;
}

Result<ModePlan> plan_modes(const ModeRequest& request, const PeerModes& modes,
                            const ModeContext& context, const Moment& now,
                            std::chrono::minutes audit) {
  const auto& peers = context.peers;
  if (request.confirm_within &&
      (request.kind != ModeRequest::Kind::kSet || request.mode != Mode::ENFORCE))
    return Error{"policy: only enforce can be confirmed", Failure::kUsage};
  ModePlanner planner(request, modes, context, now, audit);
  if (request.peer == kAllPeers) return plan_all(request, std::move(planner), modes, peers);
  const auto peer = std::find_if(peers.begin(), peers.end(),
                                 [&](const auto& p) { return p.peer.name == request.peer; });
  const bool known = peer != peers.end();
  const bool set = request.kind == ModeRequest::Kind::kSet;
  if (!known && !(set && !request.mode && planner.forget(request.peer)))
    return Error{request.peer + ": no such peer (see espial policy show)", Failure::kUsage};
  if (!known) return planner.finish(modes);
  if (peer->peer.state == PeerState::kCandidate)
    planner.refuse(request.peer,
                   "known from a route only: cannot be enforced (configure it first)");
  else if (set)
    planner.set(*peer);
  else
    planner.confirm(*peer);
  if (planner.idle())
    planner.refuse(request.peer, "nothing to confirm (after the deadline, the mode is audit)");
  return planner.finish(modes);
}

}  // namespace espial
