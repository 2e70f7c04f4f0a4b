// SPDX-License-Identifier: Apache-2.0
#include "exporter/exposition.h"

#include <array>
#include <cassert>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace espial {

namespace {

// quote: in a label value, else in a HELP line, where it stands for itself.
void append_escaped(std::string& out, std::string_view text, bool quote) {
  while (!text.empty()) {
    const auto plain = text.find_first_of("\\\n\"");
    out += text.substr(0, plain);
    if (plain == std::string_view::npos) return;
    const char c = text[plain];
    if (c == '\n')
      out += "\\n";
    else
      out.append(c == '\\' || quote ? "\\" : "").push_back(c);
    text.remove_prefix(plain + 1);
  }
}

void append_labels(std::string& out, const std::vector<prometheus::ClientMetric::Label>& labels) {
  char separator = '{';
  for (const auto& label : labels) {
    out += separator;
    out += label.name;
    out += "=\"";
    append_escaped(out, label.value, true);
    out += '"';
    separator = ',';
  }
  if (!labels.empty()) out += '}';
}

void append_value(std::string& out, double value) {
  assert(std::isfinite(value));
  constexpr double kExact = 9007199254740992.0;  // 2^53
  std::array<char, 32> text{};
  const bool whole = std::abs(value) < kExact && value == std::trunc(value);
  const auto end =
      whole ? std::to_chars(text.begin(), text.end(), static_cast<std::int64_t>(value)).ptr
            : std::to_chars(text.begin(), text.end(), value).ptr;
  out.append(text.data(), static_cast<std::size_t>(end - text.data()));
}

}  // namespace

void append_exposition(std::string& out, const prometheus::MetricFamily& family) {
  const bool counter = family.type == prometheus::MetricType::Counter;
  assert(counter || family.type == prometheus::MetricType::Gauge);
  out.append("# HELP ").append(family.name) += ' ';
  append_escaped(out, family.help, false);
  out.append("\n# TYPE ").append(family.name).append(counter ? " counter\n" : " gauge\n");
  for (const auto& metric : family.metric) {
    out += family.name;
    append_labels(out, metric.label);
    out += ' ';
    append_value(out, counter ? metric.counter.value : metric.gauge.value);
    out += '\n';
  }
}

}  // namespace espial
