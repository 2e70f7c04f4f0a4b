// SPDX-License-Identifier: Apache-2.0
#include "cli/text/status_text.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/printable.h"
#include "cli/text/status_parts.h"
#include "cli/text/text_table.h"
#include "cli/text/wording.h"
#include "model/words.h"

namespace espial {
namespace {

using nlohmann::json;

Colour verdict_colour(std::string_view verdict) {
  if (verdict == "leaking" || verdict == "mixed" || verdict == "exposed") return Colour::kRed;
  if (verdict == "one_way" || verdict == "down" || verdict == "unknown") return Colour::kYellow;
  return verdict == "encrypted" ? Colour::kGreen : Colour::kDim;
}

bool bad_verdict(std::string_view verdict) {
  return verdict == "leaking" || verdict == "mixed" || verdict == "one_way" || verdict == "down" ||
         verdict == "exposed";
}

bool candidate(const json& peer) { return text_field(peer, "state") == "candidate"; }

// A title and its table after an empty line; nothing without rows.
std::string section(std::string_view title, const TextTable& table, const RenderStyle& style) {
  if (table.empty()) return {};
  return "\n" + painted(title, Colour::kBold, style) + "\n" + table.text(style);
}

std::string status_headline(const json& status, const RenderStyle& style) {
  std::string out = painted(text_field(status, "node"), Colour::kBold, style);
  if (const auto instance = text_field(status, "instance"); instance != "default")
    out += "  instance " + instance;
  out += "  " + text_field(status, "time");
  out += "  window " + std::to_string(count_field(status, "window_seconds")) + " s\n";
  if (!true_field(field(status, "daemon"), "running"))
    out += painted(
               "no daemon is running; the counters below come from the pinned maps (start it: "
               "systemctl start espial)",
               Colour::kYellow, style) +
           "\n";
  const auto& config = field(status, "config");
  const auto& reload = field(config, "last_reload_successful");
  if (reload.is_boolean() && !reload.get<bool>())
    out += painted("configuration rejected, the previous one stays in force: " +
                       text_field(config, "error"),
                   Colour::kRed, style) +
           "\n";
  return out;
}

// "3 peers: 2 encrypted, 1 leaking", worst first.
std::string status_summary(const json& status, const RenderStyle& style) {
  std::map<std::string, std::size_t> counts;
  const auto& peers = field(status, "peers");
  for (const auto& peer : peers)
    ++counts[candidate(peer) ? "candidate" : text_field(peer, "verdict")];
  std::string out = std::to_string(peers.size()) + (peers.size() == 1 ? " peer" : " peers");
  if (peers.empty())
    return out + ": none is configured, and none was found in the kernel's policies and routes\n";
  std::vector<std::pair<std::string, std::size_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return bad_verdict(a.first) && !bad_verdict(b.first);
  });
  std::string separator = ": ";
  for (const auto& [word, count] : sorted) {
    out += separator + painted(std::to_string(count) + " " + word, verdict_colour(word), style);
    separator = ", ";
  }
  return out + "\n";
}

std::uint64_t unprotected_packets(const json& direction) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kClasses; ++i)
    if (kClassCoverage[i] == Coverage::UNPROTECTED)
      sum += both_families(field(field(direction, "packets"), kClassLabels[i]));
  return sum;
}

TextCell status_coverage(const json& direction) {
  const auto& coverage = field(direction, "coverage");
  const auto text = percent(coverage);
  if (!coverage.is_number()) return {text, Colour::kDim};
  return {text, coverage.get<double>() >= 1 ? Colour::kGreen : Colour::kRed};
}

std::string window_packets(const json& direction, std::uint64_t seconds) {
  const auto& window = field(direction, "window");
  return rate(count_field(window, "encrypted_packets") + count_field(window, "unprotected_packets"),
              seconds);
}

std::string window_bits(const json& direction, std::uint64_t seconds) {
  const auto& window = field(direction, "window");
  return bit_rate(count_field(window, "encrypted_bytes") + count_field(window, "unprotected_bytes"),
                  seconds);
}

std::string peer_table(const json& status, const RenderStyle& style) {
  TextTable table({{"PEER", false, 0},
                   {"VERDICT", false, 0},
                   {"RX COVER", true, 0},
                   {"TX COVER", true, 0},
                   {"RX PKT/S", true, 1},
                   {"TX PKT/S", true, 1},
                   {"RX BIT/S", true, 3},
                   {"TX BIT/S", true, 3},
                   {"UNPROTECTED", true, 0},
                   {"LAST", false, 0},
                   {"MODE", false, 2},
                   {"STATE", false, 4}});
  const auto now = text_field(status, "time");
  for (const auto& peer : field(status, "peers")) {
    const auto& receive = field(peer, "receive");
    const auto& transmit = field(peer, "transmit");
    const auto seconds = count_field(peer, "window_seconds");
    const auto verdict = text_field(peer, "verdict");
    const auto clear = unprotected_packets(receive) + unprotected_packets(transmit);
    const auto last = text_field(peer, "last_cleartext");
    table.add(
        {{text_field(peer, "name")},
         {verdict, candidate(peer) ? Colour::kDim : verdict_colour(verdict)},
         status_coverage(receive),
         status_coverage(transmit),
         {window_packets(receive, seconds)},
         {window_packets(transmit, seconds)},
         {window_bits(receive, seconds)},
         {window_bits(transmit, seconds)},
         {grouped(clear), clear == 0 ? Colour::kDim : Colour::kRed},
         {last.empty() ? "never" : ago(last, now), last.empty() ? Colour::kDim : Colour::kNone},
         {text_field(peer, "mode")},
         {text_field(peer, "state"), Colour::kDim}});
  }
  return table.empty() ? std::string() : "\n" + table.text(style);
}

std::string reasons(const json& status, const RenderStyle& style) {
  TextTable table({{"PEER"}, {"VERDICT"}, {"BECAUSE"}});
  for (const auto& peer : field(status, "peers")) {
    const auto verdict = text_field(peer, "verdict");
    const auto reason = text_field(peer, "reason");
    if (!reason.empty() && verdict != "encrypted" && verdict != "silent")
      table.add({{text_field(peer, "name")}, {verdict, verdict_colour(verdict)}, {reason}});
  }
  return section("why", table, style);
}

std::string alarms(const json& status, const RenderStyle& style) {
  TextTable table({{"ALARM"}, {"SEVERITY"}, {"STATE"}, {"PEER"}, {"SINCE"}, {"EVIDENCE"}});
  const auto now = text_field(status, "time");
  for (const auto& alarm : field(status, "alarms")) {
    const auto state = text_field(alarm, "state");
    const bool critical = text_field(alarm, "severity") == "critical";
    const auto colour = state != "firing" ? Colour::kDim
                        : critical        ? Colour::kRed
                                          : Colour::kYellow;
    table.add({{text_field(alarm, "alarm"), colour},
               {text_field(alarm, "severity"), colour},
               {state, colour},
               {text_field(alarm, "peer")},
               {ago(text_field(alarm, "since"), now)},
               {text_field(alarm, "evidence")}});
  }
  return section("alarms", table, style);
}

// What was not encrypted, by peer and class, since the counters exist.
std::string unprotected(const json& status, const RenderStyle& style) {
  TextTable table({{"PEER"}, {"CLASS"}, {"RX PACKETS", true}, {"TX PACKETS", true}});
  for (const auto& peer : field(status, "peers")) {
    for (std::size_t i = 0; i < kClasses; ++i) {
      const auto cell = [&](std::string_view direction) {
        return both_families(field(field(field(peer, direction), "packets"), kClassLabels[i]));
      };
      const auto receive = cell("receive");
      const auto transmit = cell("transmit");
      if (kClassCoverage[i] == Coverage::UNPROTECTED && receive + transmit > 0)
        table.add({{text_field(peer, "name")},
                   {std::string(kClassLabels[i])},
                   {grouped(receive)},
                   {grouped(transmit)}});
    }
    if (const auto spoofed = count_field(field(peer, "receive"), "spoofed"); spoofed > 0)
      table.add({{text_field(peer, "name")}, {"spoofed", Colour::kRed}, {grouped(spoofed)}, {"-"}});
  }
  return section("not encrypted", table, style);
}

// Cleartext in a backend network that belongs to no known peer.
std::string strangers(const json& status, const RenderStyle& style) {
  TextTable table({{"CLASS"}, {"RX PACKETS", true}, {"TX PACKETS", true}});
  const auto& no_peer = field(status, "no_peer");
  for (std::size_t i = 0; i < kClasses; ++i) {
    const auto cell = [&](std::string_view direction) {
      return both_families(field(field(field(no_peer, direction), "packets"), kClassLabels[i]));
    };
    const auto receive = cell("receive");
    const auto transmit = cell("transmit");
    const bool notable = kClassCoverage[i] == Coverage::UNPROTECTED ||
                         kClassLabels[i] == to_string(Class::UNKNOWN_NODE);
    if (notable && receive + transmit > 0)
      table.add({{std::string(kClassLabels[i])}, {grouped(receive)}, {grouped(transmit)}});
  }
  return section("of no known peer", table, style);
}

// What the kernel dropped, one line a peer: "12 netfilter forward, 3 IP_RPFILTER".
std::string dropped_by_kernel(const json& status, const RenderStyle& style) {
  TextTable table({{"PEER"}, {"DROPPED BY THE KERNEL"}});
  for (const auto& peer : field(status, "peers")) {
    std::string causes;
    const auto add = [&](std::uint64_t packets, const std::string& cause) {
      if (packets > 0) causes += (causes.empty() ? "" : ", ") + grouped(packets) + " " + cause;
    };
    const auto& drops = field(peer, "kernel_drops");
    for (const auto& hook : kHookLabels)
      add(both_families(field(field(drops, "netfilter"), hook)), "netfilter " + std::string(hook));
    const auto& reasons = field(drops, "reasons");
    for (const auto& [reason, packets] : reasons.items())
      if (reason != "NETFILTER_DROP") add(count_field(reasons, reason), printable(reason));
    if (!causes.empty()) table.add({{text_field(peer, "name")}, {causes, Colour::kYellow}});
  }
  return section("dropped on this node", table, style);
}

std::string devices(const json& status, const RenderStyle& style) {
  TextTable table({{"DEVICE"}, {"ROLE"}, {"HOOK"}, {"WATCHED"}, {"EXPECTED"}, {"WHY"}});
  for (const auto& device : field(status, "devices")) {
    const bool receive = true_field(device, "receive_attached");
    const bool transmit = true_field(device, "transmit_attached");
    // Where packets only re-enter there is nothing to watch on the way out.
    const bool whole = receive && (transmit || text_field(device, "role") == "reentry");
    const std::string watched = receive && transmit ? "both ways"
                                : receive           ? "receive"
                                : transmit          ? "transmit"
                                                    : "no";
    std::string why = text_field(device, "why");
    const auto& xdp = field(device, "xdp");
    const bool accelerated = xdp.is_object() && true_field(xdp, "attached");
    if (xdp.is_object() && !accelerated)
      why += (why.empty() ? "xdp: " : "; xdp: ") + text_field(xdp, "why");
    table.add({{text_field(device, "name")},
               {text_field(device, "role")},
               {text_field(device, "mode") + (accelerated ? "+xdp" : "")},
               {watched, whole ? Colour::kNone : Colour::kRed},
               {true_field(device, "expected") ? "yes" : ""},
               {why}});
  }
  return section("devices", table, style);
}

// Whether the daemon loaded or adopted its programs; nothing without a daemon.
std::string programs(const json& status) {
  const auto& use = field(status, "programs");
  const auto loaded = count_field(use, "loaded");
  const auto adopted = count_field(use, "adopted");
  if (loaded + adopted == 0) return {};
  std::string out = "\nprograms: " + grouped(adopted) + " adopted, " + grouped(loaded) +
                    " loaded at the last start";
  if (const auto why = text_field(use, "why"); !why.empty()) out += " (" + why + ")";
  if (const auto why = text_field(use, "not_pinned"); !why.empty()) out += "; not pinned: " + why;
  return out + "\n";
}

// The XFRM policies behind the programs; nothing unless the configuration asks for them.
std::string backstop(const json& status, const RenderStyle& style) {
  const auto& block = field(status, "xfrm_block");
  if (!true_field(block, "enabled")) return {};
  const auto wanted = count_field(block, "wanted");
  const auto in_place = count_field(block, "in_place");
  const auto why = text_field(block, "why");
  std::string line = "backstop: " + grouped(in_place) + " of " + grouped(wanted) +
                     " policies in place" + (why.empty() ? "" : ": " + why);
  const bool whole = in_place == wanted && why.empty();
  std::string out = "\n" + (whole ? line : painted(line, Colour::kRed, style)) + "\n";
  TextTable without({{"PEER"}, {"NO BACKSTOP, BECAUSE"}});
  for (const auto& one : field(block, "without"))
    without.add({{text_field(one, "peer")}, {text_field(one, "why"), Colour::kYellow}});
  return without.empty() ? out : out + without.text(style);
}

std::string troubles(const json& status, const RenderStyle& style) {
  TextTable findings({{"FINDING"}});
  for (const auto& finding : field(status, "findings"))
    if (finding.is_string())
      findings.add({{printable(finding.get_ref<const std::string&>()), Colour::kYellow}});
  TextTable sources({{"SOURCE DOWN"}, {"DETAIL"}});
  for (const auto& source : field(status, "sources"))
    if (!true_field(source, "up"))
      sources.add(
          {{text_field(source, "source"), Colour::kYellow}, {text_field(source, "detail")}});
  TextTable lost({{"LOST"}, {"COUNT", true}});
  for (std::size_t i = 0; i < kLosts; ++i)
    if (const auto count = count_field(field(status, "lost"), kLostLabels[i]); count > 0)
      lost.add({{std::string(kLostLabels[i]), Colour::kYellow}, {grouped(count)}});
  std::string out = section("contradictions in the topology", findings, style);
  out += section("not visible to espial", sources, style);
  out += section("not counted or not reported", lost, style);
  const auto& gaps = field(status, "gaps");
  if (const auto count = count_field(gaps, "count"); count > 0)
    out += "\n" + grouped(count) + (count == 1 ? " time" : " times") +
           " a device was not watched (new, or programs removed), " +
           seconds_text(field(gaps, "total_seconds")) + " in all\n";
  return out;
}

}  // namespace

std::string render_status(const json& status, const RenderStyle& style) {
  return status_headline(status, style) + status_summary(status, style) +
         peer_table(status, style) + reasons(status, style) + alarms(status, style) +
         unprotected(status, style) + strangers(status, style) +
         section("ipsec", unprovable_table(status), style) +
         section("enforcement", enforcement_table(status), style) +
         dropped_by_kernel(status, style) + probes_text(status, style) + backstop(status, style) +
         devices(status, style) + programs(status) + troubles(status, style);
}

int status_exit(const json& status) {
  bool blind = false;
  for (const auto& alarm : field(status, "alarms"))
    if (text_field(alarm, "state") == "firing") return 1;
  for (const auto& peer : field(status, "peers")) {
    if (candidate(peer)) continue;
    const auto verdict = text_field(peer, "verdict");
    if (bad_verdict(verdict)) return 1;
    if (verdict == "unknown") blind = true;
  }
  return blind ? 3 : 0;
}

}  // namespace espial
