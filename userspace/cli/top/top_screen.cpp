// SPDX-License-Identifier: Apache-2.0
#include "cli/top/top_screen.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <map>

#include "base/printable.h"
#include "cli/terminal/watch_screen.h"
#include "cli/text/text_table.h"
#include "cli/text/wording.h"
#include "cli/top/top_pages.h"
#include "cli/top/top_rows.h"

namespace espial {
namespace {

using nlohmann::json;

// "03:04:05Z" of "2026-01-02T03:04:05.250Z".
std::string clock_text(const json& status) {
  const auto time = text_field(status, "time");
  return time.size() < 19 ? time : time.substr(11, 8) + "Z";
}

std::string top_headline(const TopData& data, const TopView& view, const RenderStyle& style) {
  const json& status = data.status;
  std::string out = painted("espial top", Colour::kBold, style);
  if (const auto node = text_field(status, "node"); !node.empty()) out += "  " + node;
  if (const auto instance = text_field(status, "instance");
      !instance.empty() && instance != "default")
    out += "  instance " + instance;
  if (const auto time = clock_text(status); !time.empty()) out += "  " + time;
  if (view.width >= 60 && !status.is_null())
    out += "  window " + std::to_string(count_field(status, "window_seconds")) + " s";
  if (view.paused) out += "  " + painted("PAUSED", Colour::kYellow, style);
  return out;
}

// "3 peers: 1 mixed, 1 candidate, 1 encrypted", worst first, and what of it is listed.
std::string peers_line(const json& status, const TopView& view, std::size_t listed,
                       const RenderStyle& style) {
  std::map<std::pair<unsigned, std::string>, std::size_t> counts;
  const auto& peers = field(status, "peers");
  for (const auto& peer : peers) {
    const bool candidate = text_field(peer, "state") == "candidate";
    const auto verdict = candidate ? "candidate" : text_field(peer, "verdict");
    ++counts[{badness(verdict), verdict}];
  }
  std::string out = grouped(peers.size()) + (peers.size() == 1 ? " peer" : " peers");
  std::string separator = ": ";
  for (const auto& [verdict, count] : counts) {
    out += separator +
           painted(grouped(count) + " " + verdict.second, verdict_colour_of(verdict.second), style);
    separator = ", ";
  }
  if (view.page == TopPage::kPeers && !view.filter.empty() && !view.typing)
    out += "  [/" + view.filter + ": " + grouped(listed) + "]";
  return out;
}

std::string alarms_line(const json& status, const RenderStyle& style) {
  static constexpr std::array<const char*, 3> kSeverities{"critical", "warning", "info"};
  std::array<std::size_t, 3> counts{};
  std::array<std::string, 3> firsts;
  std::size_t pending = 0;
  for (const auto& alarm : field(status, "alarms")) {
    const auto state = text_field(alarm, "state");
    if (state == "pending") ++pending;
    if (state != "firing") continue;
    const auto severity = text_field(alarm, "severity");
    for (std::size_t i = 0; i < kSeverities.size(); ++i)
      if (severity == kSeverities[i] && counts[i]++ == 0)
        firsts[i] = text_field(alarm, "alarm") + " " + text_field(alarm, "peer");
  }
  std::string out;
  std::string worst;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    if (worst.empty()) worst = firsts[i];
    const auto colour = i == 0 ? Colour::kRed : i == 1 ? Colour::kYellow : Colour::kNone;
    out += (out.empty() ? "alarms: " : ", ") +
           painted(grouped(counts[i]) + " " + kSeverities[i], colour, style);
  }
  if (out.empty()) out = "no alarm fires";
  if (!worst.empty()) out += ": " + worst;
  if (counts[0] + counts[1] + counts[2] > 1) out += ", ...";
  if (pending > 0) out += "  (" + grouped(pending) + " pending)";
  return out;
}

// Why the figures may be outdated or incomplete.
TextLines warnings(const TopData& data, const TopView& view, const RenderStyle& style) {
  TextLines out;
  if (!data.problem.empty())
    out.push_back(
        painted(data.problem + (data.status.is_null() ? "" : "; shown is the last answer"),
                Colour::kYellow, style));
  else if (!data.status.is_null() && !true_field(field(data.status, "daemon"), "running"))
    out.push_back(
        painted("no daemon is running: read from the pinned maps", Colour::kYellow, style));
  const auto& reload = field(field(data.status, "config"), "last_reload_successful");
  if (reload.is_boolean() && !reload.get<bool>() && view.height > 12)
    out.push_back(
        painted("configuration rejected, the previous one stays in force", Colour::kRed, style));
  return out;
}

std::string sas_text(const json& peer) {
  const auto& ipsec = field(peer, "ipsec");
  if (text_field(ipsec, "verdict") == "user_space") return "user";
  const auto& sas = field(ipsec, "sas");
  if (!sas.is_object()) return "-";
  return std::to_string(count_field(sas, "in")) + "/" + std::to_string(count_field(sas, "out"));
}

TextCell top_coverage(const json& peer, const char* way) {
  const auto& coverage = field(field(peer, way), "coverage");
  const auto text = percent(coverage);
  if (!coverage.is_number()) return {text, Colour::kDim};
  return {text, coverage.get<double>() >= 1 ? Colour::kGreen : Colour::kRed};
}

TextCell count_cell(std::uint64_t count, Colour colour) {
  return {grouped(count), count == 0 ? Colour::kDim : colour};
}

// Figures as `status` writes them.
std::vector<TextCell> cells(const TopRow& row, bool selected, std::size_t name_width) {
  const json& peer = *row.peer;
  const auto seconds = count_field(peer, "window_seconds");
  const auto traffic = [&](const char* way, const char* unit) {
    const auto& window = field(field(peer, way), "window");
    return count_field(window, "encrypted_" + std::string(unit)) +
           count_field(window, "unprotected_" + std::string(unit));
  };
  auto name = row.name;
  if (name.size() > name_width) name = name.substr(0, name_width - 1) + "~";
  std::string alarm = row.alarm;
  if (row.firing > 1) alarm += " +" + std::to_string(row.firing - 1);
  return {{(selected ? "> " : "  ") + name},
          {row.verdict, verdict_colour_of(row.verdict)},
          top_coverage(peer, "receive"),
          top_coverage(peer, "transmit"),
          {rate(traffic("receive", "packets"), seconds)},
          {rate(traffic("transmit", "packets"), seconds)},
          {bit_rate(traffic("receive", "bytes"), seconds)},
          {bit_rate(traffic("transmit", "bytes"), seconds)},
          count_cell(row.unprotected, Colour::kRed),
          count_cell(row.dropped, Colour::kYellow),
          count_cell(row.kernel_drops, Colour::kYellow),
          {text_field(peer, "mode")},
          {sas_text(peer)},
          {alarm, row.critical > 0 ? Colour::kRed : Colour::kYellow}};
}

TextTable list_table() {
  return TextTable({{"  PEER", false, 0},
                    {"VERDICT", false, 0, 9},
                    {"RX COVER", true, 0},
                    {"TX COVER", true, 1},
                    {"RX PKT/S", true, 4},
                    {"TX PKT/S", true, 4},
                    {"RX BIT/S", true, 8},
                    {"TX BIT/S", true, 8},
                    {"UNPROTECTED", true, 2},
                    {"DROPPED", true, 5},
                    {"KERNEL DROPS", true, 9},
                    {"MODE", false, 6, 7},
                    {"SA", false, 7, 4},
                    {"ALARMS", false, 3, 16}});
}

TextLines styled_lines(const std::string& text) {
  TextLines lines;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    lines.push_back(text.substr(begin, end - begin));
  return lines;
}

// The longest of some texts that fits.
std::string fitting(std::initializer_list<std::string> texts, std::size_t width) {
  for (const auto& text : texts)
    if (text.size() <= width) return text;
  return *(texts.end() - 1);
}

std::string footer(const TopView& view, const RenderStyle& style) {
  if (view.typing) return painted("filter: " + view.filter + "_", Colour::kBold, style);
  const auto order = std::string(to_string(view.order)) + (view.reverse ? ", reversed" : "");
  const std::string leave = view.page == TopPage::kHelp ? "q quit" : "? help  q quit";
  const auto keys =
      view.page == TopPage::kPeers
          ? fitting({"sort: " + order +
                         " (< > r w)  enter one peer  a alarms  / filter  p pause  " + leave,
                     "sort: " + order + " (< > r)  enter peer  a alarms  / filter  " + leave,
                     order + " (< > r)  " + leave, leave},
                    view.width)
          : fitting({"esc back  up down scroll  p pause  " + leave, "esc back  " + leave},
                    view.width);
  return painted(keys, Colour::kDim, style);
}

// The list below the header lines.
void add_list(TopScreen& screen, const TopData& data, const TopView& view, std::size_t room,
              const RenderStyle& style, const std::vector<TopRow>& rows) {
  for (const TopRow& row : rows) screen.extent.names.push_back(row.name);
  screen.extent.rows = std::max<std::size_t>(room, 2) - 1;
  screen.extent.lines = rows.size();
  if (rows.empty()) {
    if (!data.status.is_null())
      screen.lines.emplace_back(view.filter.empty() ? "no peer is known" : "no peer matches");
    return;
  }
  const auto& names = screen.extent.names;
  const auto found = std::find(names.begin(), names.end(), view.selected);
  const auto selected = found == names.end() ? 0 : static_cast<std::size_t>(found - names.begin());
  // By whole pages: what is not moved stays where it is.
  const auto first = selected / screen.extent.rows * screen.extent.rows;
  const auto name_width = std::max<std::size_t>(12, view.width / 4);
  TextTable table = list_table();
  for (std::size_t i = 0; i < rows.size(); ++i)
    table.add(cells(rows[i], i == selected, name_width));
  auto lines = styled_lines(table.text(style));
  screen.titles = screen.lines.size();
  screen.lines.push_back(lines.front());
  const auto end = std::min(first + screen.extent.rows, rows.size());
  for (std::size_t i = first; i < end; ++i) {
    if (i == selected) screen.selected = screen.lines.size();
    screen.lines.push_back(lines[i + 1]);
  }
}

void add_page(TopScreen& screen, const TextLines& page, const TopView& view, std::size_t room) {
  screen.extent.rows = std::max<std::size_t>(room, 1);
  screen.extent.lines = page.size();
  const auto most = page.size() > room ? page.size() - room : 0;
  const auto first = std::min(view.scroll, most);
  for (std::size_t i = first; i < std::min(first + room, page.size()); ++i)
    screen.lines.push_back(page[i]);
}

TextLines page_of(const TopData& data, const TopView& view, const RenderStyle& style) {
  switch (view.page) {
    case TopPage::kPeers:
      return {};
    case TopPage::kPeer:
      return top_peer_page(data.status, data.flows, view.selected, style);
    case TopPage::kAlarms:
      return top_alarms_page(data.status, style);
    case TopPage::kHelp:
      return top_help_page(style);
  }
  return {};
}

}  // namespace

TopScreen render_top(const TopData& data, const TopView& view, bool colour) {
  const RenderStyle style{colour, view.width};
  TopScreen screen;
  screen.lines.push_back(top_headline(data, view, style));
  const auto rows = top_rows(data.status, view);
  if (data.status.is_null()) {
    if (data.problem.empty()) screen.lines.emplace_back("asking the daemon...");
  } else {
    screen.lines.push_back(peers_line(data.status, view, rows.size(), style));
    if (view.height > 6) screen.lines.push_back(alarms_line(data.status, style));
  }
  for (auto& line : warnings(data, view, style)) screen.lines.push_back(std::move(line));
  if (view.height > 16) screen.lines.emplace_back();
  const auto above = screen.lines.size() + 1;  // and the footer
  const auto room = view.height > above ? view.height - above : 1;
  if (view.page == TopPage::kPeers)
    add_list(screen, data, view, room, style, rows);
  else
    add_page(screen, page_of(data, view, style), view, room);
  if (screen.lines.size() + 1 > view.height && view.height > 0)
    screen.lines.resize(view.height - 1);
  while (screen.lines.size() + 1 < view.height) screen.lines.emplace_back();
  screen.lines.push_back(footer(view, style));
  for (auto& line : screen.lines)
    line = colour ? clip_line(line, view.width) : line.substr(0, view.width);
  return screen;
}

}  // namespace espial
