// SPDX-License-Identifier: Apache-2.0
#include "sources/firewall/firewall_source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "base/printable.h"
#include "sources/firewall/ebtables_list.h"
#include "sources/firewall/iptables_save.h"
#include "sources/firewall/nft_json.h"
#include "sources/firewall/nft_text.h"

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

const Arguments kListJson{"-j", "-n", "list"};

Result<Ruleset> read_json(const Arguments& what, const ChildLimits& limits) {
  Arguments arguments = kListJson;
  arguments.insert(arguments.end(), what.begin(), what.end());
  EP_ASSIGN(json, run_program("nft", arguments, limits));
  return ruleset_from_nft_json(json);
}

// nft 1.0.6 prints no JSON at all once the flags of one table come out as bytes that are no text.
// Table by table the others can be read; a dormant one has no say anyhow.
Ruleset read_each_table(const std::string& text, const ChildLimits& limits) {
  Ruleset ruleset;
  for (const auto& table : nft_tables_of(text)) {
    if (table.dormant) continue;
    auto one = read_json({"table", table.family, table.name}, limits);
    if (one.ok())
      std::move(one->tables.begin(), one->tables.end(), std::back_inserter(ruleset.tables));
    else
      ruleset.unread.push_back("table " + printable(table.family + " " + table.name) + ": " +
                               one.error().message);
  }
  return ruleset;
}

Ruleset read_nft(const ChildLimits& limits) {
  auto whole = read_json({"ruleset"}, limits);
  // Where nothing is loaded there is no text to read.
  if (whole.ok() && whole->tables.empty()) return std::move(*whole);
  auto text = run_program("nft", {"-a", "-n", "list", "ruleset"}, limits);
  Ruleset ruleset;
  if (whole.ok())
    ruleset = std::move(*whole);
  else if (text.ok())
    ruleset = read_each_table(*text, limits);
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

// Which legacy tables of bridges have been loaded. There is no file of the names in this network
// namespace, asking for a table loads its module, and nfnetlink_hook, which knows the hooks, is
// one, too. Debian's kernels have these tables as modules only.
std::vector<std::string> loaded_bridge_tables(Ruleset& ruleset) {
  const char* modules = "/proc/modules";
  std::ifstream file(modules);
  // A kernel without modules has no such file.
  if (!file && errno != ENOENT)
    ruleset.unread.push_back(std::string(modules) + ": " + std::strerror(errno));
  std::vector<std::string> tables;
  constexpr std::string_view kPrefix = "ebtable_";
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(kPrefix))
      tables.push_back(line.substr(kPrefix.size(), line.find(' ') - kPrefix.size()));
  return tables;
}

// Since Linux 5.15 a namespace gets a table when it is first asked for: where nobody used it yet,
// this hooks an empty one, which lets everything pass.
// The plain name, and with it ebtables-legacy-save, which calls that, may be nft's.
void add_bridge_legacy(Ruleset& ruleset, const ChildLimits& limits) {
  for (const auto& table : loaded_bridge_tables(ruleset)) {
    const auto text = run_program("ebtables-legacy", {"-t", table, "-L", "--Lx"}, limits);
    auto tables = text.ok() ? tables_from_ebtables_list(*text) : text.error();
    if (tables.ok())
      std::move(tables->begin(), tables->end(), std::back_inserter(ruleset.tables));
    else if (const auto& why = tables.error().message;
             std::find(ruleset.unread.begin(), ruleset.unread.end(), why) == ruleset.unread.end())
      ruleset.unread.push_back(why);
  }
}

}  // namespace

Ruleset read_ip_firewall(const ChildLimits& limits) {
  Ruleset ruleset = read_nft(limits);
  explain_tables(ruleset, TableFamily::kIp, Family::kIpv4, "iptables-nft-save", limits);
  explain_tables(ruleset, TableFamily::kIp6, Family::kIpv6, "ip6tables-nft-save", limits);
  add_legacy(ruleset, "/proc/thread-self/net/ip_tables_names", Family::kIpv4,
             "iptables-legacy-save", limits);
  add_legacy(ruleset, "/proc/thread-self/net/ip6_tables_names", Family::kIpv6,
             "ip6tables-legacy-save", limits);
  return ruleset;
}

Ruleset read_firewall(const ChildLimits& limits) {
  Ruleset ruleset = read_ip_firewall(limits);
  add_bridge_legacy(ruleset, limits);
  return ruleset;
}

}  // namespace espial
