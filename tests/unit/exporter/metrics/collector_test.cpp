// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics/collector.h"

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <chrono>
#include <map>
#include <set>

#include "model/alarms/alarms.h"
#include "unit/exporter_fixture.h"
#include "unit/prometheus_cpp.h"

namespace espial {
namespace {

using testing::busy_report;
using testing::golden_report;

std::vector<prometheus::MetricFamily> collect(std::shared_ptr<const Report> report,
                                              MetricChoice choice = MetricChoice::kAuto) {
  return testing::collect(Collector("0.1.0", choice), report.get());
}

std::string label(const prometheus::ClientMetric& metric, std::string_view name) {
  for (const auto& l : metric.label)
    if (l.name == name) return l.value;
  return "";
}

// "name{label=value,…}" -> value.
std::map<std::string, double> values(const std::vector<prometheus::MetricFamily>& families) {
  std::map<std::string, double> out;
  for (const auto& family : families)
    for (const auto& metric : family.metric) {
      std::string key = family.name + "{";
      for (const auto& l : metric.label) key += l.name + "=" + l.value + ",";
      const double value = family.type == prometheus::MetricType::Counter ? metric.counter.value
                                                                          : metric.gauge.value;
      EXPECT_TRUE(out.emplace(key + "}", value).second) << "twice: " << key;
    }
  return out;
}

std::map<std::string, std::size_t> series_by_peer(
    const std::vector<prometheus::MetricFamily>& families) {
  std::map<std::string, std::size_t> out;
  for (const auto& family : families)
    for (const auto& metric : family.metric) ++out[label(metric, "peer")];
  return out;
}

TEST(Collector, SaysWhichBuildItIsBeforeTheFirstSnapshot) {
  const auto families = testing::collect(Collector("0.1.0", MetricChoice::kAuto), nullptr);
  ASSERT_EQ(families.size(), 1U);
  EXPECT_EQ(values(families),
            (std::map<std::string, double>{{"espial_build_info{version=0.1.0,}", 1}}));
}

TEST(Collector, CountersAreThoseOfTheReport) {
  const auto all = values(collect(golden_report()));
  EXPECT_EQ(all.at("espial_peer_receive_packets_total{peer=node2,class=cleartext,family=ipv4,}"),
            12);
  EXPECT_EQ(all.at("espial_peer_receive_bytes_total{peer=node2,class=cleartext,family=ipv4,}"),
            1200);
  EXPECT_EQ(all.at("espial_peer_transmit_packets_total{peer=node3,class=esp,family=ipv6,}"), 998);
  EXPECT_EQ(all.at("espial_peer_receive_encrypted_packets_total{peer=node3,}"), 1000);
  EXPECT_EQ(all.at("espial_peer_receive_unprotected_packets_total{peer=node2,}"), 12);
  EXPECT_EQ(all.at("espial_peer_transmit_unprotected_bytes_total{peer=node2,}"), 100);
  EXPECT_EQ(all.at("espial_peer_receive_decrypted_packets_total{peer=node3,family=ipv6,}"), 1000);
  EXPECT_EQ(all.at("espial_network_receive_cleartext_packets_total{peer=node2,network="
                   "backendnet,}"),
            12);
  EXPECT_EQ(all.at("espial_no_peer_receive_packets_total{class=other,family=ipv4,}"), 7);
  EXPECT_EQ(all.at("espial_peer_last_cleartext_timestamp_seconds{peer=node2,}"), 1714564784.75);
  EXPECT_EQ(all.at("espial_peer_last_cleartext_timestamp_seconds{peer=node3,}"), 0);
  EXPECT_EQ(all.at("espial_lost_total{what=flow_event_rate,}"), 5);
  EXPECT_EQ(all.at("espial_parse_outcomes_total{outcome=short_l4,}"), 3);
  EXPECT_EQ(all.at("espial_device_gap_seconds_total{}"), 0.075);
  EXPECT_EQ(all.at("espial_device_gaps_total{}"), 2);
}

TEST(Collector, WhatTheKernelDropsIsCountedByHookAndReason) {
  const auto all = values(collect(golden_report()));
  const std::string netfilter = "espial_netfilter_dropped_packets_total{peer=node";
  EXPECT_EQ(all.at(netfilter + "3,family=ipv6,hook=forward,}"), 9);
  // Every hook from the first scrape.
  EXPECT_EQ(all.at(netfilter + "2,family=ipv4,hook=output_or_postrouting,}"), 0);
  const std::string kernel = "espial_kernel_dropped_packets_total{peer=node";
  EXPECT_EQ(all.at(kernel + "3,reason=IP_RPFILTER,}"), 2);
  EXPECT_EQ(all.count(kernel + "2,reason=IP_RPFILTER,}"), 0U);
  // Not known is not zero.
  Report blind = *golden_report();
  blind.snapshot.drops_seen = false;
  for (const auto& [name, value] : values(collect(std::make_shared<const Report>(blind))))
    EXPECT_EQ(name.find("_dropped_packets_total{peer=node3,family"), std::string::npos) << name;
}

TEST(Collector, EnforcementIsCountedByReason) {
  const auto all = values(collect(golden_report()));
  EXPECT_EQ(all.at("espial_peer_transmit_dropped_packets_total{peer=node3,reason=cleartext,}"), 3);
  EXPECT_EQ(all.at("espial_peer_transmit_dropped_bytes_total{peer=node3,reason=cleartext,}"), 300);
  EXPECT_EQ(
      all.at("espial_peer_transmit_dropped_packets_total{peer=node3,reason=cleartext_transit,}"),
      21);
  EXPECT_EQ(
      all.at("espial_peer_transmit_would_drop_packets_total{peer=node2,reason=cleartext_host,}"),
      1);
  EXPECT_EQ(all.at("espial_peer_transmit_exempted_packets_total{peer=node3,exemption=pmtu,}"), 6);
  EXPECT_EQ(all.at("espial_no_peer_transmit_dropped_packets_total{reason=unknown_node,}"), 8);
  EXPECT_EQ(all.at("espial_no_peer_transmit_dropped_bytes_total{reason=unknown_node,}"), 800);
}

TEST(Collector, WhatCannotHappenIsNoSeries) {
  for (const auto& [key, value] : values(collect(busy_report(1)))) {
    const auto has = [&key = key](const char* text) { return key.find(text) != std::string::npos; };
    const bool of_a_peer = !has("espial_no_peer_");
    EXPECT_FALSE(has("_receive_") && has("reason=cleartext_transit")) << key;
    EXPECT_FALSE(has("_transmit_") && has("reason=spoofed")) << key;
    EXPECT_FALSE(of_a_peer && has("reason=unknown_node")) << key;
    EXPECT_FALSE(has("_receive_") && has("reason=cleartext_resent")) << key;
    EXPECT_FALSE(!of_a_peer && has("reason=") && !has("reason=unknown_node") &&
                 !has("reason=spoofed") && !has("reason=too_deep"))
        << key;
    EXPECT_FALSE(!of_a_peer && has("exemption=pmtu")) << key;
  }
}

TEST(Collector, GaugesAreThoseOfTheReport) {
  const auto all = values(collect(golden_report()));
  EXPECT_EQ(all.at("espial_peer_verdict{peer=node2,verdict=leaking,}"), 1);
  EXPECT_EQ(all.at("espial_peer_verdict{peer=node3,verdict=encrypted,}"), 1);
  EXPECT_EQ(all.at("espial_peer_verdict{peer=node3,verdict=leaking,}"), 0);
  EXPECT_EQ(all.at("espial_peer_mode{peer=node2,mode=monitor,}"), 1);
  EXPECT_EQ(all.at("espial_peer_mode{peer=node2,mode=enforce,}"), 0);
  EXPECT_EQ(all.at("espial_alarm{alarm=CleartextTraffic,severity=critical,peer=node2,}"), 1);
  EXPECT_EQ(all.at("espial_alarm{alarm=CleartextTraffic,severity=critical,peer=node3,}"), 0);
  EXPECT_EQ(all.at("espial_alarm{alarm=ConfigRejected,severity=warning,peer=,}"), 1);
  EXPECT_EQ(all.at("espial_program_attached{device=eth0,hook=ingress,mode=tcx,}"), 1);
  EXPECT_EQ(all.at("espial_program_attached{device=eth1,hook=egress,mode=none,}"), 0);
  EXPECT_EQ(all.count("espial_program_attached{device=ipsec0,hook=egress,mode=tcx,}"), 0U);
  EXPECT_EQ(all.at("espial_source_up{source=file,}"), 1);
  EXPECT_EQ(all.at("espial_source_up{source=xfrm,}"), 0);
  EXPECT_EQ(all.at("espial_map_entries{map=ep_peer_stat,}"), 3);
  EXPECT_EQ(all.at("espial_map_max_entries{map=ep_peer_stat,}"), 1025);
  EXPECT_EQ(all.at("espial_config_last_reload_successful{}"), 0);
  EXPECT_EQ(all.at("espial_snapshot_timestamp_seconds{}"), 1714564800.25);
}

TEST(Collector, ProbesAreWorthTheirWorstWay) {
  const auto all = values(collect(golden_report()));
  // Its bridge answers in clear, its pod not at all.
  EXPECT_EQ(all.at("espial_probe_success{peer=node2,family=ipv4,}"), 0);
  EXPECT_EQ(all.at("espial_probe_encrypted{peer=node2,family=ipv4,}"), 0);
  EXPECT_EQ(all.at("espial_probe_rtt_seconds{peer=node2,family=ipv4,}"), 0.000412);
  EXPECT_EQ(all.at("espial_probe_success{peer=node3,family=ipv6,}"), 1);
  EXPECT_EQ(all.at("espial_probe_encrypted{peer=node3,family=ipv6,}"), 1);
  EXPECT_EQ(all.count("espial_probe_success{peer=node3,family=ipv4,}"), 0U) << "is not probed";
  EXPECT_EQ(all.count("espial_probe_success{peer=node4,family=ipv4,}"), 0U) << "a candidate";
  EXPECT_EQ(all.at("espial_probe_ways{family=ipv4,outcome=both_leak,}"), 1);
  EXPECT_EQ(all.at("espial_probe_ways{family=ipv4,outcome=lost_there,}"), 1);
  EXPECT_EQ(all.at("espial_probe_ways{family=ipv6,outcome=encrypted,}"), 1);
  EXPECT_EQ(all.at("espial_probe_ways{family=ipv6,outcome=pending,}"), 0);
}

TEST(Collector, WithoutProbesThereIsNoSeriesOfThem) {
  for (const auto& [key, value] : values(collect(busy_report(2))))
    EXPECT_EQ(key.find("espial_probe_"), std::string::npos) << key;
  // Until one ended there is no answer yet.
  Evaluator evaluator;
  const auto first = values(collect(std::make_shared<const Report>(
      evaluator
          .evaluate(testing::golden_start(),
                    std::make_shared<const Probing>(testing::golden_probing()))
          .report)));
  EXPECT_EQ(first.at("espial_probe_success{peer=node3,family=ipv6,}"), 0);
  EXPECT_EQ(first.at("espial_probe_ways{family=ipv6,outcome=pending,}"), 1);
  EXPECT_EQ(first.at("espial_probe_ways{family=ipv6,outcome=encrypted,}"), 0);
}

TEST(Collector, ProbesKeepTheFullSetBounded) {
  Report report = *busy_report(64, 4);
  Probing probing;
  for (const auto& peer : report.snapshot.peers)
    probing.peers[peer.peer.name].probes = {
        testing::golden_probe(peer.peer.name, ProbePath::HOST, "10.1.0.1", "10.2.0.1"),
        testing::golden_probe(peer.peer.name, ProbePath::HOST, "fd00::1", "fd00::2")};
  report.probing = std::make_shared<const Probing>(std::move(probing));
  const auto shared = std::make_shared<const Report>(std::move(report));
  ASSERT_EQ(choose_metric_set(MetricChoice::kAuto, *shared), MetricSet::kFull);
  for (const auto& [peer, count] : series_by_peer(collect(shared)))
    if (!peer.empty()) {
      EXPECT_LE(count, kFullSeriesPerPeer) << peer;
    }
}

TEST(Collector, KnownSeriesExistFromTheFirstScrape) {
  Evaluator evaluator;
  Snapshot snapshot = testing::golden_start();
  snapshot.networks = {{"node2", "backendnet", {}}, {"node3", "backendnet", {}}};
  const auto probing = std::make_shared<const Probing>(testing::golden_probing());
  const auto first =
      values(collect(std::make_shared<const Report>(evaluator.evaluate(snapshot, probing).report)));
  for (const auto& [key, value] : values(collect(golden_report()))) {
    // Kernels know over a hundred reasons: one has a series from its first packet on.
    if (key.find("espial_kernel_dropped_packets_total{") == 0) continue;
    EXPECT_EQ(first.count(key), 1U) << key;
  }
}

TEST(Collector, EveryFamilyHasHelpAndCountersEndInTotal) {
  for (const MetricChoice choice : {MetricChoice::kFull, MetricChoice::kCompact}) {
    std::set<std::string> names;
    for (const auto& family : collect(golden_report(), choice)) {
      EXPECT_FALSE(family.help.empty()) << family.name;
      EXPECT_TRUE(names.insert(family.name).second) << family.name;
      const bool total =
          family.name.size() > 6 && family.name.compare(family.name.size() - 6, 6, "_total") == 0;
      EXPECT_EQ(total, family.type == prometheus::MetricType::Counter) << family.name;
    }
  }
}

TEST(Collector, NoAddressIsALabel) {
  for (const auto& family : collect(golden_report()))
    for (const auto& metric : family.metric)
      for (const auto& l : metric.label) {
        EXPECT_FALSE(IpAddress::parse(l.value)) << family.name;
        EXPECT_FALSE(Prefix::parse(l.value)) << family.name;
      }
}

TEST(Collector, TheFullSetIsBounded) {
  for (const auto& [peer, count] : series_by_peer(collect(busy_report(64, 4))))
    if (!peer.empty()) {
      EXPECT_LE(count, kFullSeriesPerPeer) << peer;
    }
  EXPECT_EQ(choose_metric_set(MetricChoice::kAuto, *busy_report(64, 4)), MetricSet::kFull);
  // The largest number of networks that still is the full set is at most the promise, too.
  std::size_t networks = 1;
  while (choose_metric_set(MetricChoice::kAuto, *busy_report(1, networks + 1)) == MetricSet::kFull)
    ++networks;
  const auto counts = series_by_peer(collect(busy_report(1, networks)));
  EXPECT_LE(counts.at("node10000"), kFullSeriesPerPeer);
  EXPECT_GT(counts.at("node10000") + 4, kFullSeriesPerPeer) << "compact earlier than needed";
}

TEST(Collector, AboveSixtyFourPeersEachCostsExactlySixteenSeries) {
  EXPECT_EQ(choose_metric_set(MetricChoice::kAuto, *busy_report(65)), MetricSet::kCompact);
  auto counts = series_by_peer(collect(busy_report(65)));
  EXPECT_LE(counts.at(""), 80U);
  counts.erase("");
  EXPECT_EQ(counts.size(), 65U);
  for (const auto& [peer, count] : counts) EXPECT_EQ(count, kCompactSeriesPerPeer) << peer;
}

TEST(Collector, TheConfigurationChoosesTheSet) {
  EXPECT_EQ(choose_metric_set(MetricChoice::kCompact, *busy_report(1)), MetricSet::kCompact);
  EXPECT_EQ(choose_metric_set(MetricChoice::kFull, *busy_report(65)), MetricSet::kFull);
  EXPECT_EQ(parse_metric_choice("auto"), MetricChoice::kAuto);
  EXPECT_EQ(parse_metric_choice("full"), MetricChoice::kFull);
  EXPECT_EQ(parse_metric_choice("compact"), MetricChoice::kCompact);
  EXPECT_FALSE(parse_metric_choice("most"));
}

TEST(Collector, TheCompactSetMeansTheSame) {
  auto full = values(collect(golden_report(), MetricChoice::kFull));
  for (const auto& [key, value] : values(collect(golden_report(), MetricChoice::kFull)))
    if (const auto reason = key.find("reason="); reason != std::string::npos)
      full[key.substr(0, reason) + "}"] += value;
  // What the kernel dropped is the node's there.
  for (const auto& [key, value] : values(collect(golden_report(), MetricChoice::kFull))) {
    const auto peer = key.find("{peer=");
    if (key.find("espial_netfilter_dropped") == 0 || key.find("espial_kernel_dropped") == 0)
      full[key.substr(0, peer + 1) + key.substr(key.find(',') + 1)] += value;
  }
  const auto compact = values(collect(golden_report(), MetricChoice::kCompact));
  for (const auto& [key, value] : compact) {
    const bool node_alarm = key.find("espial_alarm{") == 0;
    if (node_alarm) continue;
    ASSERT_EQ(full.count(key), 1U) << key;
    EXPECT_EQ(full.at(key), value) << key;
  }
  EXPECT_EQ(compact.at("espial_alarm{alarm=CleartextTraffic,severity=critical,peer=,}"), 1);
  EXPECT_EQ(compact.at("espial_alarm{alarm=SpoofedInner,severity=critical,peer=,}"), 0);
}

TEST(Collector, PendingAlarmsDoNotFire) {
  Evaluator evaluator;
  Snapshot snapshot = testing::node();
  evaluator.evaluate(snapshot);
  testing::wait(snapshot, std::chrono::seconds{1});
  testing::count(snapshot.no_peer, Direction::RECEIVE, Class::UNKNOWN_NODE, 1);
  const auto report = std::make_shared<const Report>(evaluator.evaluate(snapshot).report);
  ASSERT_EQ(report->alarms.size(), 1U);
  EXPECT_EQ(values(collect(report)).at("espial_alarm{alarm=UnknownNode,severity=warning,peer=,}"),
            0);
}

TEST(Collector, LabelValuesAreEscapedAndAlwaysUtf8) {
  auto report = std::make_shared<Report>(*golden_report());
  report->snapshot.devices[0].name = "e\"t\\h\n\xff";
  const std::string text = Collector("0.1.0", MetricChoice::kFull).text(report.get());
  EXPECT_NE(text.find("device=\"e\\\"t\\\\h\\n\xEF\xBF\xBD\""), std::string::npos);
}

// Byte for byte: these values are whole, or have few digits.
TEST(Collector, TheTextIsThatOfPrometheusCpp) {
  for (const auto& report : {golden_report(), busy_report(3), busy_report(100)}) {
    const Collector collector("0.1.0", MetricChoice::kAuto);
    EXPECT_EQ(collector.text(report.get()),
              prometheus::TextSerializer().Serialize(testing::collect(collector, report.get())));
  }
}

}  // namespace
}  // namespace espial
