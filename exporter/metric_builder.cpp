// SPDX-License-Identifier: Apache-2.0
#include "exporter/metric_builder.h"

namespace espial {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool continues(std::string_view text, std::size_t i) {
  return i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U;
}

// Length of the UTF-8 sequence at `i` (RFC 3629 section 4), 0 if there is none.
std::size_t sequence_length(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t n) { return static_cast<unsigned char>(text[n]); };
  const unsigned lead = byte(i);
  if (lead < 0x80U) return lead < 0x20U || lead == 0x7FU ? 0 : 1;
  if (lead < 0xC2U || lead > 0xF4U || !continues(text, i + 1)) return 0;
  if (lead < 0xE0U) return 2;
  const unsigned second = byte(i + 1);
  if (!continues(text, i + 2)) return 0;
  if (lead < 0xF0U) {
    const bool overlong = lead == 0xE0U && second < 0xA0U;
    const bool surrogate = lead == 0xEDU && second > 0x9FU;
    return overlong || surrogate ? 0 : 3;
  }
  const bool out_of_range = (lead == 0xF0U && second < 0x90U) || (lead == 0xF4U && second > 0x8FU);
  return out_of_range || !continues(text, i + 3) ? 0 : 4;
}

}  // namespace

std::string label_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = sequence_length(text, i);
    out += length == 0 ? kReplacement : text.substr(i, length);
    i += length == 0 ? 1 : length;
  }
  return out;
}

double timestamp_seconds(std::chrono::system_clock::time_point time) {
  const auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
  return static_cast<double>(since_epoch.count()) / 1000.0;
}

MetricBuilder::MetricBuilder(std::string_view name, std::string_view help,
                             prometheus::MetricType type) {
  family_.name = name;
  family_.help = help;
  family_.type = type;
}

MetricBuilder MetricBuilder::counter(std::string_view name, std::string_view help) {
  return {name, help, prometheus::MetricType::Counter};
}

MetricBuilder MetricBuilder::gauge(std::string_view name, std::string_view help) {
  return {name, help, prometheus::MetricType::Gauge};
}

MetricBuilder& MetricBuilder::add(LabelList labels, double value) {
  prometheus::ClientMetric metric;
  metric.label.reserve(labels.size());
  for (const auto& [name, text] : labels)
    metric.label.push_back({std::string(name), label_text(text)});
  if (family_.type == prometheus::MetricType::Counter)
    metric.counter.value = value;
  else
    metric.gauge.value = value;
  family_.metric.push_back(std::move(metric));
  return *this;
}

}  // namespace espial
