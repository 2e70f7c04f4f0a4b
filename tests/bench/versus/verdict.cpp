// SPDX-License-Identifier: Apache-2.0
#include "bench/versus/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "bench/median.h"

namespace espial::bench {
namespace {

constexpr double kTolerance = 0.06;  // of a row's whole time
constexpr double kAgree = 0.85;      // of the pairs of one load of each side

double widest(const std::vector<double>& values) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return *most / *least - 1;
}

// The share of the pairs in which one is above the other by more than the tolerance.
double above(const std::vector<double>& ones, const std::vector<double>& others) {
  std::size_t count = 0;
  for (const double one : ones)
    for (const double other : others) count += one > other * (1 + kTolerance) ? 1 : 0;
  return static_cast<double>(count) / static_cast<double>(ones.size() * others.size());
}

bool covers(const Accepted& one, const Versus& row) {
  return row.name.rfind(one.prefix, 0) == 0 && row.ratio() <= one.ratio;
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kSame:
      return "same";
    case Verdict::kBetter:
      return "better";
    case Verdict::kWorse:
      return "worse";
    case Verdict::kAccepted:
      return "worse, accepted";
    case Verdict::kUnclear:
      return "unclear";
  }
  return "";
}

double Versus::ratio() const { return median(tree) / median(base); }

double Versus::spread() const { return std::max(widest(base), widest(tree)); }

Verdict Versus::verdict() const {
  if (above(tree, base) >= kAgree) return Verdict::kWorse;
  if (above(base, tree) >= kAgree) return Verdict::kBetter;
  const bool equal = ratio() <= 1 + kTolerance && ratio() >= 1 / (1 + kTolerance);
  return equal ? Verdict::kSame : Verdict::kUnclear;
}

Result<std::vector<Accepted>> parse_accepted(const std::string& text) {
  std::vector<Accepted> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream words(line);
    Accepted one;
    std::string why;
    if (!(words >> one.prefix >> one.ratio >> why) || one.ratio <= 1)
      return Error{fmt::format("accepted: \"{}\": not a prefix, a ratio above 1 and why", line)};
    found.push_back(one);
  }
  return found;
}

Verdict judged(const Versus& row, const std::vector<Accepted>& accepted) {
  const Verdict verdict = row.verdict();
  const bool paid = std::any_of(accepted.begin(), accepted.end(),
                                [&](const Accepted& one) { return covers(one, row); });
  return verdict == Verdict::kWorse && paid ? Verdict::kAccepted : verdict;
}

std::vector<Accepted> unneeded(const std::vector<Versus>& rows,
                               const std::vector<Accepted>& accepted) {
  std::vector<Accepted> found;
  for (const Accepted& one : accepted)
    if (std::none_of(rows.begin(), rows.end(), [&](const Versus& row) {
          return row.verdict() == Verdict::kWorse && covers(one, row);
        }))
      found.push_back(one);
  return found;
}

}  // namespace espial::bench
