// SPDX-License-Identifier: Apache-2.0
#include "sources/firewall/ebtables_list.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "sources/firewall/ebtables_rule.h"

namespace espial {
namespace {

struct EbtablesChain {
  std::string_view table;
  std::string_view chain;
  PacketHook hook;
  int priority;
};

// include/uapi/linux/netfilter_bridge.h, enum nf_br_hook_priorities; ebtable_filter.c,
// ebtable_nat.c and ebtable_broute.c say which chain has which.
constexpr EbtablesChain kEbtablesChains[] = {
    {"filter", "INPUT", PacketHook::kInput, -200},
    {"filter", "FORWARD", PacketHook::kForward, -200},
    {"filter", "OUTPUT", PacketHook::kOutput, 200},
    {"nat", "PREROUTING", PacketHook::kPrerouting, -300},
    {"nat", "OUTPUT", PacketHook::kOutput, 100},
    {"nat", "POSTROUTING", PacketHook::kPostrouting, 300},
    {"broute", "BROUTING", PacketHook::kPrerouting, std::numeric_limits<int>::min()},
};

// Never of type NAT: these tables change MAC addresses, frame by frame.
std::optional<BaseChain> ebtables_chain(std::string_view table, std::string_view chain) {
  for (const auto& row : kEbtablesChains) {
    if (row.table != table || row.chain != chain) continue;
    BaseChain base;
    base.hook = row.hook;
    base.priority = row.priority;
    return base;
  }
  return std::nullopt;
}

// Takes the first word, and the one blank behind it, off text.
std::string_view next_word(std::string_view& text) {
  const auto word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return word;
}

class EbtablesReader {
 public:
  // false: the line is not understood.
  bool line(std::string_view text) {
    while (text.ends_with(' ')) text.remove_suffix(1);
    if (text.empty()) return true;
    if (next_word(text) != "ebtables" || next_word(text) != "-t") return false;
    Table& table = table_named(next_word(text));
    const std::string_view whole = text;
    const auto what = next_word(text);
    const auto name = next_word(text);
    if (table.name.empty() || name.empty()) return false;
    if (what == "-N") return text.empty() && declare(table, name);
    Chain* chain = chain_named(table, name);
    if (chain == nullptr) return false;
    if (what == "-P") return policy(table, *chain, text);
    return what == "-A" && rule(table, *chain, text, whole);
  }

  std::vector<Table> take() {
    for (auto& table : tables_)
      for (auto& chain : table.chains) end(table, chain);
    return std::move(tables_);
  }

 private:
  Table& table_named(std::string_view name) {
    // Lines come grouped by table.
    if (tables_.empty() || tables_.back().name != name) {
      Table table;
      table.family = TableFamily::kBridge;
      table.name = name;
      table.tool = RuleTool::kEbtablesLegacy;
      tables_.push_back(std::move(table));
      at_.clear();
    }
    return tables_.back();
  }

  bool declare(Table& table, std::string_view name) {
    if (ebtables_chain(table.name, name) || !at_.emplace(name, table.chains.size()).second)
      return false;
    Chain chain;
    chain.name = name;
    table.chains.push_back(std::move(chain));
    return true;
  }

  // Built-in chains are not declared.
  Chain* chain_named(Table& table, std::string_view name) {
    if (const auto found = at_.find(name); found != at_.end()) return &table.chains[found->second];
    auto base = ebtables_chain(table.name, name);
    if (!base) return nullptr;
    at_.emplace(name, table.chains.size());
    Chain chain;
    chain.name = name;
    chain.base = std::move(base);
    table.chains.push_back(std::move(chain));
    return &table.chains.back();
  }

  // The kernel asks the policy after the last rule: RETURN is what the end of a chain means here.
  bool policy(const Table& table, Chain& chain, std::string_view word) {
    if (chain.base && table.name != "broute") {
      chain.base->policy_drop = word == "DROP";
      return word == "DROP" || word == "ACCEPT";
    }
    return policies_.emplace(std::pair(table.name, chain.name), word).second &&
           (word == "ACCEPT" || word == "DROP" || (word == "RETURN" && !chain.base));
  }

  bool rule(const Table& table, Chain& chain, std::string_view text, std::string_view whole) {
    if (!text.starts_with('-')) return false;
    const auto is_chain = [&](const std::string& name) { return at_.count(name) != 0; };
    chain.rules.push_back(
        {chain.rules.size() + 1, ebtables_steps(text, table.name, is_chain), std::string(whole)});
    return true;
  }

  // A user chain's policy is ACCEPT where none is printed, and ends the walk of the base chain.
  void end(const Table& table, Chain& chain) {
    const auto found = policies_.find(std::pair(table.name, chain.name));
    const std::string word = found != policies_.end() ? found->second : chain.base ? "" : "ACCEPT";
    if (word.empty() || word == "RETURN") return;
    chain.rules.push_back({0,
                           {ebtables_verdict(word, table.name)},
                           word == "DROP" ? "policy drop" : "policy accept"});
  }

  std::vector<Table> tables_;
  std::map<std::string, std::size_t, std::less<>> at_;                   // chains of the last table
  std::map<std::pair<std::string, std::string>, std::string> policies_;  // by table and chain
};

}  // namespace

Result<std::vector<Table>> tables_from_ebtables_list(std::string_view text) {
  const std::string tool(to_string(RuleTool::kEbtablesLegacy));
  if (text.size() > kEbtablesListMax) return Error{tool + ": more rules than espial reads"};
  EbtablesReader reader;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    if (!reader.line(text.substr(0, end)))
      return Error{tool + ": line " + std::to_string(number) + " of its rules is not understood"};
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return reader.take();
}

}  // namespace espial
