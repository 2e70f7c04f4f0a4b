// SPDX-License-Identifier: Apache-2.0
#include "cli/top/top_pages.h"

#include <algorithm>
#include <array>

#include "base/printable.h"
#include "cli/text/flows_text.h"
#include "cli/text/status_parts.h"
#include "cli/text/text_table.h"
#include "cli/text/wording.h"
#include "cli/top/top_rows.h"
#include "model/words.h"

namespace espial {
namespace {

using nlohmann::json;

constexpr std::size_t kFlows = 10;  // of one peer, the latest

void add_text(TextLines& page, const std::string& text) {
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    page.push_back(text.substr(begin, end - begin));
}

// A title and its table after an empty line; nothing without rows.
void add_section(TextLines& page, std::string_view title, const TextTable& table,
                 const RenderStyle& style) {
  if (table.empty()) return;
  page.emplace_back();
  page.push_back(painted(title, Colour::kBold, style));
  add_text(page, table.text(style));
}

const json* find_peer(const json& status, const std::string& name) {
  for (const auto& peer : field(status, "peers"))
    if (text_field(peer, "name") == name) return &peer;
  return nullptr;
}

std::string joined_list(const json& list, const char* key = nullptr) {
  std::string out;
  for (const auto& one : list) {
    const auto text = key != nullptr    ? text_field(one, key)
                      : one.is_string() ? printable(one.get_ref<const std::string&>())
                                        : std::string();
    out += (out.empty() ? "" : ", ") + text;
  }
  return out;
}

std::string ipsec_text(const json& peer, const std::string& now) {
  const auto& ipsec = field(peer, "ipsec");
  if (!ipsec.is_object()) return {};
  const auto& sas = field(ipsec, "sas");
  std::string out = text_field(ipsec, "verdict") + ": SAs " + grouped(count_field(sas, "in")) +
                    " in, " + grouped(count_field(sas, "out")) + " out";
  for (const auto& [key, word] :
       {std::pair{"larval", "being made"}, std::pair{"null_encryption", "without encryption"},
        std::pair{"packet_offload", "in packet offload"}})
    if (const auto count = count_field(sas, key); count > 0)
      out += ", " + grouped(count) + " " + word;
  const auto expires = text_field(ipsec, "sa_expires");
  const auto from = parse_time(now);
  const auto to = parse_time(expires);
  if (from && to) out += ", the next expires in " + std::to_string((*to - *from).count()) + " s";
  return out;
}

TextTable facts(const json& peer, const std::string& now) {
  TextTable table({{""}, {""}});
  const auto add = [&](const char* what, const std::string& text) {
    if (!text.empty()) table.add({{what, Colour::kDim}, {text}});
  };
  add("underlay", joined_list(field(peer, "underlay")));
  add("backend", joined_list(field(peer, "backend"), "prefix"));
  add("mode", text_field(peer, "mode"));
  add("ipsec", ipsec_text(peer, now));
  const auto last = text_field(peer, "last_cleartext");
  add("cleartext", last.empty() ? "never" : ago(last, now));
  return table;
}

TextTable rates(const json& peer) {
  TextTable table({{"LAST " + std::to_string(count_field(peer, "window_seconds")) + " S"},
                   {"COVERAGE", true},
                   {"PKT/S", true},
                   {"BIT/S", true},
                   {"ENCRYPTED", true},
                   {"UNPROTECTED", true}});
  const auto seconds = count_field(peer, "window_seconds");
  for (const char* way : {"receive", "transmit"}) {
    const auto& direction = field(peer, way);
    const auto& window = field(direction, "window");
    const auto encrypted = count_field(window, "encrypted_packets");
    const auto clear = count_field(window, "unprotected_packets");
    const auto bytes =
        count_field(window, "encrypted_bytes") + count_field(window, "unprotected_bytes");
    table.add({{way},
               {percent(field(direction, "coverage"))},
               {rate(encrypted + clear, seconds)},
               {bit_rate(bytes, seconds)},
               {grouped(encrypted)},
               {grouped(clear), clear > 0 ? Colour::kRed : Colour::kNone}});
  }
  return table;
}

TextTable classes(const json& peer) {
  TextTable table({{"PACKETS SO FAR", false, 0},
                   {"RX IPV4", true},
                   {"RX IPV6", true},
                   {"TX IPV4", true},
                   {"TX IPV6", true}});
  const auto add = [&](const std::string& name, const json& receive, const json& transmit,
                       Colour colour) {
    if (both_families(receive) + both_families(transmit) == 0) return;
    std::vector<TextCell> row{{name, colour}};
    for (const auto* cell : {&receive, &transmit})
      for (const char* family : {"ipv4", "ipv6"})
        row.push_back({cell->is_null() ? "-" : grouped(count_field(*cell, family))});
    table.add(std::move(row));
  };
  const auto& receive = field(peer, "receive");
  const auto& transmit = field(peer, "transmit");
  for (std::size_t c = 0; c < kClasses; ++c)
    add(std::string(kClassLabels[c]), field(field(receive, "packets"), kClassLabels[c]),
        field(field(transmit, "packets"), kClassLabels[c]),
        kClassCoverage[c] == Coverage::UNPROTECTED ? Colour::kRed : Colour::kNone);
  add("decrypted", field(receive, "decrypted"), json(), Colour::kNone);
  if (const auto spoofed = count_field(receive, "spoofed"); spoofed > 0)
    table.add({{"spoofed", Colour::kRed}, {grouped(spoofed)}, {""}, {"-"}, {"-"}});
  return table;
}

TextTable kernel_drops(const json& peer) {
  TextTable table({{"DROPPED BY THE KERNEL"}, {"PACKETS", true}});
  const auto& drops = field(peer, "kernel_drops");
  for (const auto& [hook, families] : field(drops, "netfilter").items())
    table.add(
        {{"netfilter " + printable(hook), Colour::kYellow}, {grouped(both_families(families))}});
  const auto& reasons = field(drops, "reasons");
  for (const auto& [reason, packets] : reasons.items())
    if (reason != "NETFILTER_DROP")
      table.add({{printable(reason), Colour::kYellow}, {grouped(count_field(reasons, reason))}});
  return table;
}

TextTable flows_of(const json& flows, const std::string& name, const std::string& now) {
  TextTable table({{"LAST FLOWS"}, {"CLASS"}, {"FLOW"}, {"WAY"}, {"PACKETS", true}});
  std::vector<const json*> listed;
  for (const char* list : {"flows", "kernel_drops"})
    for (const auto& flow : field(flows, list))
      if (text_field(flow, "peer") == name) listed.push_back(&flow);
  std::stable_sort(listed.begin(), listed.end(), [](const json* a, const json* b) {
    return text_field(*a, "last") > text_field(*b, "last");
  });
  if (listed.size() > kFlows) listed.resize(kFlows);
  for (const json* flow : listed) {
    const auto klass = text_field(*flow, "class");
    table.add(
        {{ago(text_field(*flow, "last"), now)},
         {klass.empty() ? "kernel drop" : klass, klass.empty() ? Colour::kYellow : Colour::kRed},
         {flow_line(*flow)},
         {text_field(*flow, "direction")},
         {grouped(count_field(*flow, "packets"))}});
  }
  return table;
}

struct Ranked {
  unsigned rank;
  const json* alarm;
};

// Those that fire first, critical ones before others.
std::vector<Ranked> ranked_alarms(const json& status, const std::string* peer) {
  static constexpr std::array<std::string_view, 3> kStates{"firing", "pending", "resolved"};
  static constexpr std::array<std::string_view, 3> kSeverities{"critical", "warning", "info"};
  const auto place = [](const auto& words, const std::string& word) {
    return static_cast<unsigned>(std::find(words.begin(), words.end(), word) - words.begin());
  };
  std::vector<Ranked> list;
  for (const auto& alarm : field(status, "alarms"))
    if (peer == nullptr || text_field(alarm, "peer") == *peer)
      list.push_back({4 * place(kStates, text_field(alarm, "state")) +
                          place(kSeverities, text_field(alarm, "severity")),
                      &alarm});
  std::stable_sort(list.begin(), list.end(),
                   [](const Ranked& a, const Ranked& b) { return a.rank < b.rank; });
  return list;
}

void add_alarms(TextLines& page, const std::vector<Ranked>& alarms, const std::string& now,
                const RenderStyle& style) {
  TextTable table({{"ALARM"}, {"SEVERITY"}, {"STATE"}, {"PEER"}, {"SINCE"}});
  for (const auto& [rank, alarm] : alarms) {
    const auto state = text_field(*alarm, "state");
    const auto colour = state != "firing"                              ? Colour::kDim
                        : text_field(*alarm, "severity") == "critical" ? Colour::kRed
                                                                       : Colour::kYellow;
    table.add({{text_field(*alarm, "alarm"), colour},
               {text_field(*alarm, "severity"), colour},
               {state, colour},
               {text_field(*alarm, "peer")},
               {ago(text_field(*alarm, "since"), now)}});
  }
  TextLines lines;
  add_text(lines, table.text(style));
  page.push_back(lines.front());
  for (std::size_t i = 0; i < alarms.size(); ++i) {
    page.push_back(lines[i + 1]);
    for (const char* key : {"evidence", "runbook"})
      if (const auto text = text_field(*alarms[i].alarm, key); !text.empty())
        for (auto& line : wrapped(text, style.width, 4)) page.push_back(std::move(line));
  }
}

}  // namespace

TextLines wrapped(std::string_view text, std::size_t width, std::size_t indent) {
  const std::string margin(indent, ' ');
  const auto room = width == 0 ? text.size() : width > indent + 8 ? width - indent : 8;
  TextLines lines;
  while (text.size() > room) {
    auto end = text.rfind(' ', room);
    if (end == std::string_view::npos || end == 0) end = room;
    lines.push_back(margin + std::string(text.substr(0, end)));
    text.remove_prefix(end);
    if (text.front() == ' ') text.remove_prefix(1);
  }
  lines.push_back(margin + std::string(text));
  return lines;
}

TextLines top_peer_page(const json& status, const json& flows, const std::string& name,
                        const RenderStyle& style) {
  const json* peer = find_peer(status, name);
  if (peer == nullptr) return {"there is no peer " + name + " any more"};
  const auto now = text_field(status, "time");
  const auto verdict = text_field(*peer, "verdict");
  TextLines page;
  page.push_back(painted(name, Colour::kBold, style) + "  " +
                 painted(verdict, verdict_colour_of(verdict), style) + "  " +
                 text_field(*peer, "state"));
  if (const auto reason = text_field(*peer, "reason"); !reason.empty())
    for (auto& line : wrapped(reason, style.width, 0)) page.push_back(std::move(line));
  TextLines known;
  add_text(known, facts(*peer, now).text(style));
  page.insert(page.end(), known.begin() + 1, known.end());  // without titles
  page.emplace_back();
  add_text(page, rates(*peer).text(style));
  const auto packets = classes(*peer);
  if (!packets.empty()) {
    page.emplace_back();
    add_text(page, packets.text(style));
  }
  if (const auto alarms = ranked_alarms(status, &name); !alarms.empty()) {
    page.emplace_back();
    add_alarms(page, alarms, now, style);
  }
  add_section(page, "enforcement",
              enforcement_table({{"time", now}, {"peers", json::array({*peer})}}), style);
  const auto drops = kernel_drops(*peer);
  if (!drops.empty()) {
    page.emplace_back();
    add_text(page, drops.text(style));
  }
  const auto listed = flows_of(flows, name, now);
  if (!listed.empty()) {
    page.emplace_back();
    add_text(page, listed.text(style));
  }
  return page;
}

TextLines top_alarms_page(const json& status, const RenderStyle& style) {
  const auto alarms = ranked_alarms(status, nullptr);
  if (alarms.empty()) return {"no alarm fires, is pending, or was resolved lately"};
  TextLines page;
  add_alarms(page, alarms, text_field(status, "time"), style);
  return page;
}

TextLines top_help_page(const RenderStyle& style) {
  TextTable keys({{"KEY"}, {"WHAT IT DOES"}});
  for (const auto& [key, what] : std::initializer_list<std::pair<const char*, const char*>>{
           {"up down j k", "another peer, or scroll"},
           {"pgup pgdn space", "a page; home, end: the first, the last"},
           {"enter", "everything about the peer"},
           {"a", "all alarms, with evidence"},
           {"< > left right", "sort by the column before, behind"},
           {"r", "reverse the order"},
           {"w", "worst first, from the top"},
           {"/", "only peers whose name or verdict has this text; esc: all"},
           {"p", "pause, and go on"},
           {"esc", "back; from the list: quit"},
           {"q ctrl-c", "quit"}})
    keys.add({{key, Colour::kBold}, {what}});
  TextLines page;
  add_text(page, keys.text(style));
  TextTable words({{"COLUMN"}, {"MEANS"}});
  for (const auto& [word, meaning] : std::initializer_list<std::pair<const char*, const char*>>{
           {"RX, TX COVER", "encrypted packets of all, over the window; - without traffic"},
           {"PKT/S, BIT/S", "average over the window, as wire and status have it"},
           {"UNPROTECTED", "packets that were in clear, ever, both ways"},
           {"DROPPED", "packets that espial dropped, ever"},
           {"KERNEL DROPS", "packets that the kernel dropped on this node, and firewalls in it"},
           {"SA", "security associations in/out; user: of user-space IPsec"},
           {"ALARMS", "the worst that fires, and how many more"}})
    words.add({{word, Colour::kBold}, {meaning}});
  page.emplace_back();
  add_text(page, words.text(style));
  return page;
}

}  // namespace espial
