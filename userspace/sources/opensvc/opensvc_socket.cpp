// SPDX-License-Identifier: Apache-2.0
#include "sources/opensvc/opensvc_socket.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/printable.h"
#include "sources/opensvc/http_get.h"
#include "sources/opensvc/opensvc_api.h"

namespace espial {
namespace {

constexpr std::chrono::minutes kRefused{10};
constexpr int kFine = 200;

// Keywords of a network that are the same on all nodes.
using NetworkText = std::string OpensvcNetworkText::*;
struct Optional {
  const char* key;
  NetworkText text;
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

std::string keyword_value(const std::map<std::string, std::string>& values,
                          const std::string& name) {
  const auto at = values.find(name);
  return at == values.end() ? std::string() : at->second;
}

}  // namespace

Status OpensvcSocket::check(const HttpReply& reply) {
  auto refused = refusal_of(reply.body);
  if (!refused) return Ok{};
  silent_until_ = Clock::now() + kRefused;
  return std::move(*refused);
}

Result<std::optional<HttpReply>> OpensvcSocket::get(const std::string& target) {
  const auto until = std::min(until_, Clock::now() + kOpensvcAnswerTime);
  EP_ASSIGN(reply, http_get(path_, target, kMaxOpensvcAnswer, {until, stop_}));
  if (reply) EP_TRY(check(*reply));
  return reply;
}

Result<std::vector<HttpReply>> OpensvcSocket::answers(const std::vector<std::string>& targets) {
  EP_ASSIGN(replies,
            http_get_all(path_, targets, {kOpensvcAtOnce, kMaxOpensvcAnswer, kOpensvcAnswerTime},
                         {until_, stop_}));
  for (const auto& reply : replies) EP_TRY(check(reply));
  return replies;
}

Result<OpensvcSocket::Values> OpensvcSocket::values(const Question& question) {
  EP_ASSIGN(target, opensvc_config_target(question.keywords, question.node));
  EP_ASSIGN(replies, answers({target}));
  return values(question, replies.front());
}

Result<OpensvcSocket::Values> OpensvcSocket::values(const Question& question,
                                                    const HttpReply& reply) {
  const auto& keywords = question.keywords;
  const auto what = keywords.front() + (question.node.empty() ? "" : "@" + question.node);
  if (reply.status == kFine) {
    auto values = parse_keyword_list(reply.body, keywords);
    if (!values.ok()) return std::move(values).error().wrap(what);
    for (const auto& one : keywords)
      if (values->count(one) == 0)
        return Error{one + " is not in the answer (the agent is starting?)"}.wrap(what);
    return values;
  }
  if (!is_unset_keyword(reply.body)) return unexpected(reply).wrap(what);
  Values out;
  // One keyword without a value spoils the answer for all: what is left says which.
  for (const auto& one : keywords) {
    if (keywords.size() == 1) break;
    EP_ASSIGN(some, values({{one}, question.node}));
    out.merge(some);
  }
  return out;
}

Status OpensvcSocket::fill(OpensvcNetworkText& network, const std::vector<std::string>& nodes) {
  Question common;
  for (const auto& optional : kOptional) common.keywords.push_back(keyword(network, optional.key));
  EP_ASSIGN(shared, values(common));
  for (const auto& optional : kOptional)
    network.*optional.text = keyword_value(shared, keyword(network, optional.key));
  const auto subnet = keyword(network, "subnet");
  const auto addr = keyword(network, "addr");
  std::vector<std::string> targets;
  for (const auto& node : nodes) {
    EP_ASSIGN(target, opensvc_config_target({subnet, addr}, node));
    targets.push_back(std::move(target));
  }
  EP_ASSIGN(replies, answers(targets));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    EP_ASSIGN(own, values({{subnet, addr}, nodes[i]}, replies[i]));
    network.members.push_back({nodes[i], keyword_value(own, subnet), keyword_value(own, addr)});
  }
  return Ok{};
}

Result<std::optional<OpensvcFacts>> OpensvcSocket::ask() {
  const Question nodes{{"cluster.nodes"}, {}};
  EP_ASSIGN(target, opensvc_config_target(nodes.keywords, nodes.node));
  EP_ASSIGN(first, get(target));
  if (!first) return std::optional<OpensvcFacts>();
  EP_ASSIGN(said, values(nodes, *first));
  OpensvcFacts facts;
  facts.nodes = node_list(keyword_value(said, nodes.keywords.front()), facts);
  // As in the file: no nodes would mean that all others have left.
  if (facts.nodes.empty()) return Error{"cluster.nodes is empty or missing"};
  EP_ASSIGN(replies, answers({"/api/network"}));
  if (replies.front().status != kFine) return unexpected(replies.front()).wrap("networks");
  EP_ASSIGN(networks, parse_network_list(replies.front().body));
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
