// SPDX-License-Identifier: Apache-2.0
#include "cli/top/top_rows.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <compare>
#include <map>
#include <tuple>

#include "cli/text/wording.h"
#include "model/words.h"

namespace espial {
namespace {

using nlohmann::json;

constexpr std::array<const char*, 2> kWays{"receive", "transmit"};

struct PeerAlarms {
  unsigned critical = 0;
  unsigned firing = 0;
  std::string worst;
};

std::map<std::string, PeerAlarms> alarms_by_peer(const json& status) {
  std::map<std::string, PeerAlarms> by_peer;
  for (const auto& alarm : field(status, "alarms")) {
    if (text_field(alarm, "state") != "firing") continue;
    auto& of = by_peer[text_field(alarm, "peer")];
    const bool critical = text_field(alarm, "severity") == "critical";
    if (of.firing == 0 || (critical && of.critical == 0)) of.worst = text_field(alarm, "alarm");
    ++of.firing;
    if (critical) ++of.critical;
  }
  return by_peer;
}

void add_direction(TopRow& row, const json& direction, std::size_t way, double seconds) {
  const auto& coverage = field(direction, "coverage");
  if (coverage.is_number()) row.coverage[way] = coverage.get<double>();
  const auto& window = field(direction, "window");
  const auto unprotected = count_field(window, "unprotected_packets");
  row.unprotected_lately += unprotected;
  if (seconds > 0) {
    row.packets[way] =
        static_cast<double>(count_field(window, "encrypted_packets") + unprotected) / seconds;
    row.bits[way] = 8 *
                    static_cast<double>(count_field(window, "encrypted_bytes") +
                                        count_field(window, "unprotected_bytes")) /
                    seconds;
  }
  for (std::size_t c = 0; c < kClasses; ++c)
    if (kClassCoverage[c] == Coverage::UNPROTECTED)
      row.unprotected += both_families(field(field(direction, "packets"), kClassLabels[c]));
  for (const auto& cell : field(direction, "dropped")) row.dropped += count_field(cell, "packets");
}

TopRow row_of(const json& peer, const std::map<std::string, PeerAlarms>& alarms) {
  TopRow row;
  row.peer = &peer;
  row.name = text_field(peer, "name");
  const bool candidate = text_field(peer, "state") == "candidate";
  row.verdict = candidate ? "candidate" : text_field(peer, "verdict");
  row.badness = badness(row.verdict);
  const auto seconds = static_cast<double>(count_field(peer, "window_seconds"));
  for (std::size_t way = 0; way < kWays.size(); ++way)
    add_direction(row, field(peer, kWays[way]), way, seconds);
  for (const auto& packets : field(field(peer, "kernel_drops"), "reasons"))
    if (packets.is_number_unsigned()) row.kernel_drops += packets.get<std::uint64_t>();
  const auto& sas = field(field(peer, "ipsec"), "sas");
  row.sas = count_field(sas, "in") + count_field(sas, "out");
  if (const auto it = alarms.find(row.name); it != alarms.end()) {
    row.critical = it->second.critical;
    row.firing = it->second.firing;
    row.alarm = it->second.worst;
  }
  return row;
}

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool contains(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](char a, char b) { return lower(a) == lower(b); }) != text.end();
}

// The length of the number that text begins with.
std::size_t leading_digits(std::string_view text) {
  const auto end = text.find_first_not_of("0123456789");
  return end == std::string_view::npos ? text.size() : end;
}

// node2 before node10.
std::strong_ordering natural(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const auto left = leading_digits(a);
    const auto right = leading_digits(b);
    if (left > 0 && right > 0) {
      if (left != right) return left <=> right;
      if (const int order = a.substr(0, left).compare(b.substr(0, right)); order != 0)
        return order <=> 0;
      a.remove_prefix(left);
      b.remove_prefix(right);
    } else {
      if (a.front() != b.front()) return a.front() <=> b.front();
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  return a.size() <=> b.size();
}

bool worse(const TopRow& a, const TopRow& b) {
  const auto key = [](const TopRow& r) {
    return std::tuple(r.badness, ~r.critical, ~r.firing, ~r.unprotected_lately);
  };
  if (key(a) != key(b)) return key(a) < key(b);
  return natural(a.name, b.name) < 0;
}

double mode_weight(std::string_view mode) {
  return mode == "enforce" ? 2 : mode == "audit" ? 1 : 0;
}

// The number a column is sorted by, highest first; names, verdicts, modes go the other way.
double weight(const TopRow& row, TopOrder order) {
  switch (order) {
    case TopOrder::kWorst:
    case TopOrder::kName:
      return 0;
    case TopOrder::kVerdict:
      return -static_cast<double>(row.badness);
    // The lowest coverage first; what has no traffic last.
    case TopOrder::kReceiveCoverage:
      return row.coverage[0] < 0 ? -2 : -row.coverage[0];
    case TopOrder::kTransmitCoverage:
      return row.coverage[1] < 0 ? -2 : -row.coverage[1];
    case TopOrder::kReceivePackets:
      return row.packets[0];
    case TopOrder::kTransmitPackets:
      return row.packets[1];
    case TopOrder::kReceiveBits:
      return row.bits[0];
    case TopOrder::kTransmitBits:
      return row.bits[1];
    case TopOrder::kUnprotected:
      return static_cast<double>(row.unprotected);
    case TopOrder::kDropped:
      return static_cast<double>(row.dropped);
    case TopOrder::kKernelDrops:
      return static_cast<double>(row.kernel_drops);
    case TopOrder::kMode:
      return mode_weight(text_field(*row.peer, "mode"));
    case TopOrder::kSas:
      return static_cast<double>(row.sas);
    case TopOrder::kAlarms:
      return 1000.0 * row.critical + row.firing;
  }
  return 0;
}

}  // namespace

unsigned badness(std::string_view verdict) {
  static constexpr std::array<std::string_view, 9> kWorstFirst{"leaking",   "mixed",  "exposed",
                                                               "one_way",   "down",   "unknown",
                                                               "encrypted", "silent", "candidate"};
  return static_cast<unsigned>(std::find(kWorstFirst.begin(), kWorstFirst.end(), verdict) -
                               kWorstFirst.begin());
}

Colour verdict_colour_of(std::string_view verdict) {
  const auto bad = badness(verdict);
  if (bad < badness("one_way")) return Colour::kRed;
  if (bad < badness("encrypted")) return Colour::kYellow;
  return verdict == "encrypted" ? Colour::kGreen : Colour::kDim;
}

std::vector<TopRow> top_rows(const json& status, const TopView& view) {
  const auto alarms = alarms_by_peer(status);
  std::vector<TopRow> rows;
  for (const auto& peer : field(status, "peers")) {
    TopRow row = row_of(peer, alarms);
    if (contains(row.name, view.filter) || contains(row.verdict, view.filter))
      rows.push_back(std::move(row));
  }
  std::sort(rows.begin(), rows.end(), [&](const TopRow& a, const TopRow& b) {
    if (view.order == TopOrder::kName) return natural(a.name, b.name) < 0;
    const double left = weight(a, view.order);
    const double right = weight(b, view.order);
    return left != right ? left > right : worse(a, b);
  });
  if (view.reverse) std::reverse(rows.begin(), rows.end());
  return rows;
}

}  // namespace espial
