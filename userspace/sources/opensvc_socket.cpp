// SPDX-License-Identifier: Apache-2.0
#include "sources/opensvc_socket.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/printable.h"
#include "sources/opensvc_api.h"

namespace espial {
namespace {

constexpr std::chrono::minutes kRefused{10};
constexpr int kFine = 200;
constexpr int kNoValue = 500;  // what the agent says of a keyword that is not set, too

// Keywords of a network that are the same on all nodes.
struct Optional {
  const char* key;
  std::string OpensvcNetworkText::*text;
};
constexpr std::array<Optional, 5> kOptional{
    {{"tunnel", &OpensvcNetworkText::tunnel},
     {"tunnel_mode", &OpensvcNetworkText::tunnel_mode},
     {"dev", &OpensvcNetworkText::dev},
     {"ips_per_node", &OpensvcNetworkText::ips_per_node},
     {"mask_per_node", &OpensvcNetworkText::mask_per_node}}};

Error unexpected(const HttpReply& reply) {
  const bool forbidden = reply.status == 401 || reply.status == 403;
  return Error{"the agent answers " + std::to_string(reply.status) +
               (forbidden ? " (run as root)" : "")};
}

std::string keyword(const OpensvcNetworkText& network, const char* key) {
  return "network#" + network.name + "." + key;
}

std::string value_of(const std::map<std::string, std::string>& values, const std::string& name) {
  const auto at = values.find(name);
  return at == values.end() ? std::string() : at->second;
}

}  // namespace

Result<std::optional<HttpReply>> OpensvcSocket::get(const std::string& target) {
  const auto until = std::min(until_, Clock::now() + kOpensvcAnswerTime);
  EP_ASSIGN(reply, http_get(path_, target, kMaxOpensvcAnswer, {until, stop_}));
  if (auto refused = reply ? refusal_of(reply->body) : std::nullopt) {
    silent_until_ = Clock::now() + kRefused;
    return std::move(*refused);
  }
  return reply;
}

Result<HttpReply> OpensvcSocket::answer(const std::string& target) {
  EP_ASSIGN(reply, get(target));
  if (!reply) return Error{"the agent has left"};
  return std::move(*reply);
}

Result<OpensvcSocket::Values> OpensvcSocket::values(const std::vector<std::string>& keywords,
                                                    const std::string& node) {
  EP_ASSIGN(target, opensvc_config_target(keywords, node));
  EP_ASSIGN(reply, answer(target));
  if (reply.status == kFine) return parse_keyword_list(reply.body, keywords);
  if (reply.status != kNoValue) return unexpected(reply);
  Values out;
  // One keyword without a value spoils the answer for all: what is left says which.
  for (const auto& one : keywords) {
    if (keywords.size() == 1) break;
    EP_ASSIGN(some, values({one}, node));
    out.merge(some);
  }
  return out;
}

Status OpensvcSocket::fill(OpensvcNetworkText& network, const std::vector<std::string>& nodes) {
  std::vector<std::string> keywords;
  for (const auto& optional : kOptional) keywords.push_back(keyword(network, optional.key));
  EP_ASSIGN(common, values(keywords, {}));
  for (const auto& optional : kOptional)
    network.*optional.text = value_of(common, keyword(network, optional.key));
  const auto subnet = keyword(network, "subnet");
  const auto addr = keyword(network, "addr");
  for (const auto& node : nodes) {
    EP_ASSIGN(own, values({subnet, addr}, node));
    network.members.push_back({node, value_of(own, subnet), value_of(own, addr)});
  }
  return Ok{};
}

Result<std::optional<OpensvcFacts>> OpensvcSocket::ask() {
  const std::vector<std::string> nodes{"cluster.nodes"};
  EP_ASSIGN(target, opensvc_config_target(nodes, {}));
  EP_ASSIGN(first, get(target));
  if (!first) return std::optional<OpensvcFacts>();
  if (first->status != kFine) return unexpected(*first);
  EP_ASSIGN(said, parse_keyword_list(first->body, nodes));
  OpensvcFacts facts;
  facts.nodes = node_list(value_of(said, nodes.front()), facts);
  // As in the file: no nodes would mean that all others have left.
  if (facts.nodes.empty()) return Error{"cluster.nodes is empty or missing"};
  EP_ASSIGN(reply, answer("/api/network"));
  if (reply.status != kFine) return unexpected(reply);
  EP_ASSIGN(networks, parse_network_list(reply.body));
  for (const auto& listed : networks) {
    if (listed.type != "routed_bridge") continue;
    if (listed.network == "none" || listed.network == "None") continue;
    if (facts.networks.size() == kMaxOpensvcNetworks) break;
    OpensvcNetworkText network;
    network.name = listed.name;
    network.network = listed.network;
    EP_TRY(fill(network, facts.nodes));
    add_network(network, facts);
  }
  facts.state = OpensvcState::kReadable;
  facts.source = path_;
  return std::optional(std::move(facts));
}

OpensvcFacts OpensvcSocket::read(int stop) {
  OpensvcFacts out;
  out.state = OpensvcState::kAbsent;
  if (path_.empty()) return out;
  stop_ = stop;
  until_ = Clock::now() + kOpensvcLookTime;
  if (silent_until_ && Clock::now() < *silent_until_) {
    out.state = OpensvcState::kUnreadable;
    out.reason = refusal_;
    return out;
  }
  silent_until_.reset();
  auto asked = ask();
  if (asked.ok() && *asked) return std::move(**asked);
  if (asked.ok()) return out;
  out.state = OpensvcState::kUnreadable;
  out.reason = printable(path_) + ": " + asked.error().message;
  if (silent_until_) {
    out.reason += " (this agent answers more than it is asked: let espial read cluster.conf)";
    refusal_ = out.reason;
  }
  return out;
}

}  // namespace espial
