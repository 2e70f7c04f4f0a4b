// SPDX-License-Identifier: Apache-2.0
#include "scrape/subjects.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>

#include "unit/exporter_fixture.h"

namespace espial::scrape {

namespace {

bool is_counter(const prometheus::MetricFamily& family) {
  return family.type == prometheus::MetricType::Counter;
}

std::map<std::string, std::string> labels_of(const prometheus::ClientMetric& metric) {
  std::map<std::string, std::string> out;
  for (const auto& label : metric.label) out.emplace(label.name, label.value);
  return out;
}

}  // namespace

std::vector<std::shared_ptr<const Report>> reports_of(std::size_t peers, std::size_t count) {
  std::vector<std::shared_ptr<const Report>> out;
  const auto first = testing::busy_report(peers);
  for (std::size_t i = 0; i < count; ++i) {
    auto next = std::make_shared<Report>(*first);
    for (PeerSnapshot& peer : next->snapshot.peers)
      for (auto& families : peer.counters.cells)
        for (auto& cells : families)
          for (Cell& cell : cells) cell = {cell.packets + 1000 * i, cell.bytes + 64000 * i};
    for (PeerReport& peer : next->peers)
      for (Traffic& traffic : peer.total) {
        traffic.encrypted += 1000 * i;
        traffic.encrypted_bytes += 64000 * i;
      }
    out.push_back(std::move(next));
  }
  return out;
}

RegistrySubject::RegistrySubject(const std::vector<prometheus::MetricFamily>& families) {
  for (const auto& family : families) {
    if (is_counter(family)) {
      auto& objects =
          prometheus::BuildCounter().Name(family.name).Help(family.help).Register(registry_);
      for (const auto& metric : family.metric)
        objects_.push_back({&objects.Add(labels_of(metric)), nullptr});
    } else {
      auto& objects =
          prometheus::BuildGauge().Name(family.name).Help(family.help).Register(registry_);
      for (const auto& metric : family.metric)
        objects_.push_back({nullptr, &objects.Add(labels_of(metric))});
    }
  }
}

std::vector<double> RegistrySubject::values_of(
    const std::vector<prometheus::MetricFamily>& families) {
  std::vector<double> out;
  for (const auto& family : families)
    for (const auto& metric : family.metric)
      out.push_back(is_counter(family) ? metric.counter.value : metric.gauge.value);
  return out;
}

void RegistrySubject::set(const std::vector<double>& values) {
  for (std::size_t i = 0; i < objects_.size(); ++i) {
    const Object& object = objects_[i];
    if (object.gauge != nullptr)
      object.gauge->Set(values[i]);
    else
      object.counter->Increment(std::max(values[i] - object.counter->Value(), 0.0));
  }
}

std::string RegistrySubject::text() const {
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

}  // namespace espial::scrape
