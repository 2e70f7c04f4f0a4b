// SPDX-License-Identifier: Apache-2.0
#include "model/traffic/xfrm_errors.h"

#include <algorithm>

namespace espial {
namespace {

std::uint64_t count_of(const std::vector<XfrmError>& errors, const std::string& name) {
  const auto at = std::find_if(errors.begin(), errors.end(),
                               [&](const XfrmError& error) { return error.name == name; });
  return at == errors.end() ? 0 : at->count;
}

}  // namespace

XfrmErrorReport XfrmErrorWatch::advance(const std::vector<XfrmError>& errors, MonoTime now) {
  // Counters that went back are those of another network namespace or kernel: nothing is known.
  const auto went_back = [&](const XfrmError& error) {
    return !marks_.empty() && error.count < count_of(marks_.back().errors, error.name);
  };
  if (std::any_of(errors.begin(), errors.end(), went_back)) marks_.clear();
  while (marks_.size() > 1 && now - marks_[1].at >= kLength) marks_.pop_front();
  if (marks_.empty() || now - marks_.back().at >= std::chrono::milliseconds{900})
    marks_.push_back({now, errors});

  const auto recent = std::find_if(marks_.rbegin(), marks_.rend(),
                                   [&](const Mark& mark) { return now - mark.at >= kRecent; });
  const auto& lately = recent == marks_.rend() ? marks_.front() : *recent;
  XfrmErrorReport report;
  report.covered = now - marks_.front().at;
  for (const auto& error : errors)
    if (error.count > count_of(lately.errors, error.name))
      report.growing.push_back(
          {error.name, error.count - count_of(marks_.front().errors, error.name)});
  return report;
}

}  // namespace espial
