// SPDX-License-Identifier: Apache-2.0
#include "sources/probe/path_mtu.h"

namespace espial {
namespace {

// The kernel handles "too big" for the first three, and sends the others in fragments.
constexpr EchoPlan kAsUsual{4, true, std::chrono::milliseconds{300}, false};
constexpr EchoPlan kWhole{2, true, std::chrono::milliseconds{300}, true};
constexpr unsigned kLeast = 84;  // a usual ping over IPv4
constexpr unsigned kLeastV6 = 104;

struct Search {
  std::size_t target = 0;
  unsigned passes = 0;
  unsigned lost = 0;
  [[nodiscard]] bool done() const { return lost - passes <= 1; }
  [[nodiscard]] unsigned middle() const { return passes + (lost - passes) / 2; }
};

std::vector<bool> answered(EchoSockets& sockets, const std::vector<EchoTarget>& targets,
                           EchoPlan plan, const std::atomic<bool>* stop) {
  plan.stop = stop;
  std::vector<bool> out;
  for (const auto& answer : sockets.ask(targets, plan)) out.push_back(answer.answered > 0);
  return out;
}

// The addresses that answer small packets, but not large ones.
std::vector<Search> suspects(EchoSockets& sockets, const std::vector<EchoTarget>& targets,
                             const std::atomic<bool>* stop) {
  std::vector<Search> out;
  const auto all = answered(sockets, targets, kAsUsual, stop);
  std::vector<EchoTarget> small;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (all[i]) continue;
    const bool v4 = targets[i].destination.family() == Family::kIpv4;
    out.push_back({i, v4 ? kLeast : kLeastV6, targets[i].size});
    small.push_back({targets[i].source, targets[i].destination, out.back().passes});
  }
  const auto some = answered(sockets, small, kWhole, stop);
  std::vector<Search> alive;
  for (std::size_t i = 0; i < out.size(); ++i)
    if (some[i] && out[i].lost > out[i].passes) alive.push_back(out[i]);
  return alive;
}

}  // namespace

std::vector<std::optional<unsigned>> find_black_holes(EchoSockets& sockets,
                                                      const std::vector<EchoTarget>& targets,
                                                      const std::atomic<bool>* stop) {
  std::vector<std::optional<unsigned>> largest(targets.size());
  auto searches = suspects(sockets, targets, stop);
  while (!searches.empty()) {
    std::vector<EchoTarget> middle;
    for (const auto& search : searches) {
      const auto& target = targets[search.target];
      middle.push_back({target.source, target.destination, search.middle()});
    }
    const auto passed = answered(sockets, middle, kWhole, stop);
    if (stop != nullptr && *stop) return std::vector<std::optional<unsigned>>(targets.size());
    std::vector<Search> rest;
    for (std::size_t i = 0; i < searches.size(); ++i) {
      auto& search = searches[i];
      (passed[i] ? search.passes : search.lost) = middle[i].size;
      largest[search.target] = search.passes;
      if (!search.done()) rest.push_back(search);
    }
    searches = std::move(rest);
  }
  return largest;
}

}  // namespace espial
