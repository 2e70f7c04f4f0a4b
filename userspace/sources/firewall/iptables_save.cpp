// SPDX-License-Identifier: Apache-2.0
#include "sources/firewall/iptables_save.h"

#include <algorithm>
#include <string>
#include <utility>

#include "sources/firewall/iptables_rule.h"

namespace espial {
namespace {

struct IptablesChain {
  std::string_view table;
  std::string_view chain;
  PacketHook hook;
  int priority;
};

// include/uapi/linux/netfilter_ipv4.h, enum nf_ip_hook_priorities.
constexpr IptablesChain kIptablesChains[] = {
    {"raw", "PREROUTING", PacketHook::kPrerouting, -300},
    {"raw", "OUTPUT", PacketHook::kOutput, -300},
    {"mangle", "PREROUTING", PacketHook::kPrerouting, -150},
    {"mangle", "INPUT", PacketHook::kInput, -150},
    {"mangle", "FORWARD", PacketHook::kForward, -150},
    {"mangle", "OUTPUT", PacketHook::kOutput, -150},
    {"mangle", "POSTROUTING", PacketHook::kPostrouting, -150},
    {"nat", "PREROUTING", PacketHook::kPrerouting, -100},
    {"nat", "OUTPUT", PacketHook::kOutput, -100},
    {"nat", "INPUT", PacketHook::kInput, 100},
    {"nat", "POSTROUTING", PacketHook::kPostrouting, 100},
    {"filter", "INPUT", PacketHook::kInput, 0},
    {"filter", "FORWARD", PacketHook::kForward, 0},
    {"filter", "OUTPUT", PacketHook::kOutput, 0},
    {"security", "INPUT", PacketHook::kInput, 50},
    {"security", "FORWARD", PacketHook::kForward, 50},
    {"security", "OUTPUT", PacketHook::kOutput, 50},
};

std::optional<BaseChain> iptables_chain(std::string_view table, std::string_view chain, bool drop) {
  for (const auto& row : kIptablesChains) {
    if (row.table != table || row.chain != chain) continue;
    BaseChain base;
    base.hook = row.hook;
    base.priority = row.priority;
    base.policy_drop = drop;
    if (table == "nat") base.type = ChainType::kNat;
    if (table == "mangle" && chain == "OUTPUT") base.type = ChainType::kRoute;
    return base;
  }
  return std::nullopt;
}

class IptablesReader {
 public:
  IptablesReader(Family family, RuleTool tool) : family_(family), tool_(tool) {}
  std::vector<Table> take() { return std::move(tables_); }

  // false: the line is not understood.
  bool line(std::string_view text) {
    if (text.empty() || text.front() == '#') return true;
    if (text.front() == '*') return table(text.substr(1));
    if (tables_.empty() || committed_) return false;
    if (text == "COMMIT") return committed_ = true;
    if (text.front() == ':') return chain(text.substr(1));
    // "[packets:bytes] -A" with counters.
    if (text.front() == '[') {
      const auto end = text.find("] ");
      if (end == std::string_view::npos) return false;
      text.remove_prefix(end + 2);
    }
    return text.starts_with("-A ") && rule(text);
  }

 private:
  bool table(std::string_view name) {
    Table table;
    table.family = family_ == Family::kIpv4 ? TableFamily::kIp : TableFamily::kIp6;
    table.name = name;
    table.tool = tool_;
    tables_.push_back(std::move(table));
    committed_ = false;
    return !name.empty();
  }

  bool chain(std::string_view text) {
    const auto words = iptables_words(text);
    if (words.size() < 2) return false;
    Chain chain;
    chain.name = words[0];
    if (words[1] != "-") {
      chain.base = iptables_chain(tables_.back().name, chain.name, words[1] == "DROP");
      if (!chain.base) return false;
    }
    tables_.back().chains.push_back(std::move(chain));
    return true;
  }

  bool rule(std::string_view text) {
    auto words = iptables_words(text);
    if (words.size() < 2) return false;
    auto& chains = tables_.back().chains;
    // Rules come grouped by chain, so the chain is mostly the one of the line before.
    if (last_ >= chains.size() || chains[last_].name != words[1])
      last_ = static_cast<std::size_t>(
          std::find_if(chains.begin(), chains.end(),
                       [&](const Chain& chain) { return chain.name == words[1]; }) -
          chains.begin());
    if (last_ == chains.size()) return false;
    words.erase(words.begin(), words.begin() + 2);
    Rule rule = iptables_rule(words);
    rule.handle = chains[last_].rules.size() + 1;
    rule.text = text;
    chains[last_].rules.push_back(std::move(rule));
    return true;
  }

  Family family_;
  RuleTool tool_;
  std::vector<Table> tables_;
  std::size_t last_ = 0;
  bool committed_ = false;
};

bool opaque(const RuleStep& step) {
  const auto* match = std::get_if<UnknownMatch>(&step);
  const auto* any = std::get_if<Unknown>(&step);
  return (match != nullptr && match->what.starts_with("xt ")) ||
         (any != nullptr && any->what.starts_with("xt "));
}

// Matches that nft shows natively stay: iptables-nft-save may not know them. To match twice is to
// match once.
void explain(Rule& rule, const Rule& saved) {
  if (std::any_of(rule.steps.begin(), rule.steps.end(), opaque)) {
    std::vector<RuleStep> steps;
    for (auto& step : rule.steps)
      if (std::holds_alternative<Match>(step)) steps.push_back(std::move(step));
    steps.insert(steps.end(), saved.steps.begin(), saved.steps.end());
    rule.steps = std::move(steps);
  }
  rule.text = saved.text;
}

}  // namespace

Result<std::vector<Table>> tables_from_iptables_save(std::string_view text, Family family,
                                                     RuleTool tool) {
  if (text.size() > kIptablesSaveMax)
    return Error{std::string(to_string(tool)) + ": more rules than espial reads"};
  IptablesReader reader(family, tool);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    if (!reader.line(text.substr(0, end)))
      return Error{std::string(to_string(tool)) + ": line " + std::to_string(number) +
                   " of its rules is not understood"};
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return reader.take();
}

void explain_xt(Ruleset& ruleset, const std::vector<Table>& saved) {
  for (auto& table : ruleset.tables)
    for (const auto& other : saved) {
      if (table.family != other.family || table.name != other.name) continue;
      table.tool = RuleTool::kIptablesNft;
      for (auto& chain : table.chains)
        for (const auto& same : other.chains)
          if (chain.name == same.name && chain.rules.size() == same.rules.size())
            for (std::size_t i = 0; i < chain.rules.size(); ++i)
              explain(chain.rules[i], same.rules[i]);
    }
}

}  // namespace espial
