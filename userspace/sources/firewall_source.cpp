// SPDX-License-Identifier: Apache-2.0
#include "sources/firewall_source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "sources/iptables_save.h"
#include "sources/nft_json.h"
#include "sources/nft_text.h"

namespace espial {
namespace {

using Arguments = std::vector<std::string>;

Result<std::string> run_program(const std::string& name, const Arguments& arguments,
                                const ChildLimits& limits) {
  EP_ASSIGN(path, find_program(name));
  Arguments argv{path};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_child(argv, limits);
}

Ruleset read_nft(const ChildLimits& limits) {
  Ruleset ruleset;
  auto json = run_program("nft", {"-j", "-n", "list", "ruleset"}, limits);
  if (!json.ok()) {
    ruleset.unread.push_back(std::move(json).error().message);
    return ruleset;
  }
  auto parsed = ruleset_from_nft_json(*json);
  if (!parsed.ok()) {
    ruleset.unread.push_back(std::move(parsed).error().message);
    return ruleset;
  }
  ruleset = std::move(*parsed);
  // Where nothing is loaded there is no text to read.
  if (ruleset.tables.empty()) return ruleset;
  auto text = run_program("nft", {"-a", "-n", "list", "ruleset"}, limits);
  if (text.ok())
    add_nft_text(ruleset, *text);
  else
    ruleset.unread.push_back(std::move(text).error().message);
  return ruleset;
}

Result<std::vector<Table>> read_tables(const std::string& program, Family family, RuleTool tool,
                                       const ChildLimits& limits) {
  EP_ASSIGN(text, run_program(program, {}, limits));
  return tables_from_iptables_save(text, family, tool);
}

void explain_tables(Ruleset& ruleset, TableFamily of, Family family, const std::string& program,
                    const ChildLimits& limits) {
  const bool needed =
      std::any_of(ruleset.tables.begin(), ruleset.tables.end(),
                  [&](const Table& table) { return table.family == of && has_opaque_xt(table); });
  if (!needed) return;
  auto tables = read_tables(program, family, RuleTool::kIptablesNft, limits);
  if (tables.ok())
    explain_xt(ruleset, *tables);
  else
    ruleset.unread.push_back(std::move(tables).error().message);
}

// names: the file below /proc that lists what is hooked; to read it loads no module.
void add_legacy(Ruleset& ruleset, const char* names, Family family, const std::string& program,
                const ChildLimits& limits) {
  std::ifstream file(names);
  // A kernel without legacy tables has no such file.
  if (!file && errno != ENOENT)
    ruleset.unread.push_back(std::string(names) + ": " + std::strerror(errno));
  const std::string listed{std::istreambuf_iterator<char>(file), {}};
  if (listed.empty()) return;
  auto tables = read_tables(program, family, RuleTool::kIptablesLegacy, limits);
  if (!tables.ok()) {
    ruleset.unread.push_back(std::move(tables).error().message);
    return;
  }
  std::move(tables->begin(), tables->end(), std::back_inserter(ruleset.tables));
}

}  // namespace

Ruleset read_firewall(const ChildLimits& limits) {
  Ruleset ruleset = read_nft(limits);
  explain_tables(ruleset, TableFamily::kIp, Family::kIpv4, "iptables-nft-save", limits);
  explain_tables(ruleset, TableFamily::kIp6, Family::kIpv6, "ip6tables-nft-save", limits);
  add_legacy(ruleset, "/proc/thread-self/net/ip_tables_names", Family::kIpv4,
             "iptables-legacy-save", limits);
  add_legacy(ruleset, "/proc/thread-self/net/ip6_tables_names", Family::kIpv6,
             "ip6tables-legacy-save", limits);
  return ruleset;
}

}  // namespace espial
