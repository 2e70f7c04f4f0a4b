// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <random>
#include <sstream>

#include "exposition/family.h"
#include "exposition/labels.h"
#include "exposition/prometheus_cpp.h"
#include "exposition/text.h"

namespace exposition {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::string text_of(const Family& family) {
  std::string out;
  append_text(out, family);
  return out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

Family single(std::string_view name, std::string_view help, double value) {
  auto builder = FamilyBuilder::gauge(name, help);
  builder.add({}, value);
  return std::move(builder).take();
}

std::string value_text(double value) {
  const auto lines = lines_of(text_of(single("g", "h", value)));
  EXPECT_EQ(lines.size(), 3U);
  return lines.back().substr(2);
}

// prometheus-cpp writes 16 digits: where a double takes 17 its text reads back as a neighbour.
double as_prometheus_cpp_rounds(double value) {
  std::ostringstream out;
  out.precision(16);
  out << value;
  return std::strtod(out.str().c_str(), nullptr);
}

// The same family, once as ours and once as prometheus-cpp's, neither made of the other.
struct Both {
  Family own;
  prometheus::MetricFamily theirs;
};

// Line by line the same but for the form of a value, which must be the same value. (Not of a help
// with line feeds or backslashes: prometheus-cpp 1.0 does not escape those.)
void expect_same_meaning(const Both& both) {
  const auto own = lines_of(text_of(both.own));
  const auto theirs = lines_of(prometheus::TextSerializer().Serialize({both.theirs}));
  ASSERT_EQ(own.size(), theirs.size());
  ASSERT_EQ(own.size(), 2 + both.own.series.size());
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (own[i] == theirs[i]) continue;
    ASSERT_GE(i, 2U) << own[i] << "\n" << theirs[i];
    const auto split = own[i].rfind(' ');
    ASSERT_EQ(own[i].substr(0, split), theirs[i].substr(0, theirs[i].rfind(' ')));
    const double value = both.own.series[i - 2].value;
    const double read = std::strtod(own[i].substr(split).c_str(), nullptr);
    const double other = std::strtod(theirs[i].substr(split).c_str(), nullptr);
    EXPECT_EQ(std::isnan(read), std::isnan(value)) << own[i];
    if (std::isnan(value)) continue;
    EXPECT_EQ(read, value) << own[i];
    EXPECT_EQ(other, as_prometheus_cpp_rounds(value)) << theirs[i];
  }
}

void expect_same_family(const prometheus::MetricFamily& one,
                        const prometheus::MetricFamily& other) {
  EXPECT_EQ(one.name, other.name);
  EXPECT_EQ(one.help, other.help);
  EXPECT_EQ(one.type, other.type);
  ASSERT_EQ(one.metric.size(), other.metric.size());
  for (std::size_t i = 0; i < one.metric.size(); ++i) {
    const auto bits = [](double value) { return std::bit_cast<std::uint64_t>(value); };
    EXPECT_EQ(one.metric[i].label, other.metric[i].label);
    EXPECT_EQ(bits(one.metric[i].counter.value), bits(other.metric[i].counter.value));
    EXPECT_EQ(bits(one.metric[i].gauge.value), bits(other.metric[i].gauge.value));
  }
}

class Random {
 public:
  std::string name() {
    std::string out(1, static_cast<char>('a' + below(26)));
    for (std::size_t n = below(30); n > 0; --n) out += "abcz019_"[below(8)];
    return out;
  }

  // Everything that may stand in a label: quotes, backslashes, line feeds, two to four byte
  // sequences.
  std::string label() {
    static const std::vector<std::string> kPieces{"a",   "\"",      "\\", "\n", "\\n",
                                                  "=\"", "\",x=\"", "{",  "}",  ",",
                                                  " ",   "node17",  "é",  "€",  "😀"};
    std::string out;
    for (std::size_t n = below(12); n > 0; --n) out += kPieces[below(kPieces.size())];
    return out;
  }

  double value() {
    static const std::vector<double> kOdd{0.0,
                                          -0.0,
                                          1.0,
                                          -1.0,
                                          0.1,
                                          1e-300,
                                          5e-324,
                                          9007199254740991.0,
                                          9007199254740992.0,
                                          1.8446744073709552e19,
                                          1e300,
                                          123456789012.25,
                                          kInfinity,
                                          -kInfinity,
                                          kNaN,
                                          std::numeric_limits<double>::max()};
    switch (below(4)) {
      case 0:
        return kOdd[below(kOdd.size())];
      case 1:
        return static_cast<double>(engine_() >> below(64));  // counters of every magnitude
      case 2:
        return std::bit_cast<double>(engine_());
      default:
        return static_cast<double>(engine_() >> 20U) / 1000.0;
    }
  }

  Both family() {
    const bool counter = below(2) == 0;
    Both out;
    out.theirs.name = name() + (counter ? "_total" : "");
    out.theirs.help = counter ? "How many." : "What it is, in \"words\".";
    out.theirs.type = counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
    auto builder = counter ? FamilyBuilder::counter(out.theirs.name, out.theirs.help)
                           : FamilyBuilder::gauge(out.theirs.name, out.theirs.help);
    for (std::size_t n = below(20); n > 0; --n) {
      prometheus::ClientMetric& metric = out.theirs.metric.emplace_back();
      const double number = value();
      (counter ? metric.counter.value : metric.gauge.value) = number;
      // Some of the labels in the first set, the others in the second.
      std::array<Labels, 2> labels;
      const std::size_t first = below(4);
      for (std::size_t l = 0; l < first + below(3); ++l) {
        const auto& pair = metric.label.emplace_back(
            prometheus::ClientMetric::Label{name() + std::to_string(l), label()});
        labels[l < first ? 0 : 1].add(pair.name, pair.value);
      }
      builder.add(labels[0], labels[1], number);
    }
    out.own = std::move(builder).take();
    return out;
  }

 private:
  std::size_t below(std::size_t limit) { return engine_() % limit; }

  std::mt19937_64 engine_{20241128};
};

TEST(Text, MeansWhatPrometheusCppWrites) {
  Random random;
  std::size_t series = 0;
  for (int i = 0; i < 3000 && !::testing::Test::HasFailure(); ++i) {
    const Both both = random.family();
    SCOPED_TRACE(text_of(both.own));
    expect_same_meaning(both);
    expect_same_family(to_prometheus_cpp(both.own), both.theirs);
    series += both.own.series.size();
  }
  EXPECT_GT(series, 20000U);
}

TEST(Text, AFamilyIsItsHeadAndALineForEachSeries) {
  auto builder = FamilyBuilder::counter("packets_total", "Packets\nby \\ \"peer\".");
  builder.add({{"peer", "a"}}, std::uint64_t{12}).add({{"peer", "b"}, {"class", "esp"}}, 0);
  builder.add({{"peer", "c"}}, {{"class", "ike"}}, true).add({}, 0.5).add({}, {{"class", "x"}}, 7U);
  EXPECT_EQ(text_of(std::move(builder).take()),
            "# HELP packets_total Packets\\nby \\\\ \"peer\".\n"
            "# TYPE packets_total counter\n"
            "packets_total{peer=\"a\"} 12\n"
            "packets_total{peer=\"b\",class=\"esp\"} 0\n"
            "packets_total{peer=\"c\",class=\"ike\"} 1\n"
            "packets_total 0.5\n"
            "packets_total{class=\"x\"} 7\n");
}

TEST(Text, AppendsToWhatIsThere) {
  std::string out = "before\n";
  append_text(out, single("a", "A.", 1));
  append_text(out, FamilyBuilder::gauge("b", "B.").take());
  EXPECT_EQ(out, "before\n# HELP a A.\n# TYPE a gauge\na 1\n# HELP b B.\n# TYPE b gauge\n");
}

TEST(Text, ValuesCanBeReadBack) {
  EXPECT_EQ(value_text(0), "0");
  EXPECT_EQ(value_text(-0.0), "-0");
  EXPECT_EQ(value_text(-1), "-1");
  EXPECT_EQ(value_text(100000), "100000");
  EXPECT_EQ(value_text(9007199254740991), "9007199254740991");
  EXPECT_EQ(value_text(-9007199254740991), "-9007199254740991");
  EXPECT_EQ(value_text(0.1), "0.1");
  EXPECT_EQ(value_text(1714564784.75), "1714564784.75");
  EXPECT_EQ(std::stod(value_text(1.8446744073709552e19)), 1.8446744073709552e19);
  EXPECT_EQ(value_text(kNaN), "NaN");
  EXPECT_EQ(value_text(kInfinity), "+Inf");
  EXPECT_EQ(value_text(-kInfinity), "-Inf");
}

TEST(Labels, AreThePairsThatTheyWereMadeOf) {
  Random random;
  for (int i = 0; i < 2000; ++i) {
    Labels labels;
    std::vector<std::pair<std::string, std::string>> pairs;
    for (int l = 0; l < i % 5; ++l) {
      pairs.emplace_back(random.name(), random.label());
      labels.add(pairs.back().first, pairs.back().second);
    }
    ASSERT_EQ(pairs_of(labels.text()), pairs) << labels.text();
  }
}

std::string shown(std::string_view value) {
  return pairs_of(Labels{{"l", value}}.text()).at(0).second;
}

TEST(Labels, ReplaceWhatIsNotUtf8) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(shown("plain-é-€-😀"), "plain-é-€-😀");
  EXPECT_EQ(shown("\x1b[31m"), bad + "[31m");
  EXPECT_EQ(shown("\x7f"), bad);
  EXPECT_EQ(shown(std::string("\0x", 2)), bad + "x");
  EXPECT_EQ(shown("a\xc3"), "a" + bad) << "truncated";
  EXPECT_EQ(shown("\xc0\xaf"), bad + bad) << "overlong";
  EXPECT_EQ(shown("\xe0\x80\x80"), bad + bad + bad) << "overlong";
  EXPECT_EQ(shown("\xed\xa0\x80"), bad + bad + bad) << "surrogate";
  EXPECT_EQ(shown("\xf4\x90\x80\x80"), bad + bad + bad + bad) << "beyond U+10FFFF";
  EXPECT_EQ(shown("\xf0\x9f\x98"), bad + bad + bad) << "truncated";
}

}  // namespace
}  // namespace exposition
