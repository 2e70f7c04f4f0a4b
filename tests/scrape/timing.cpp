// SPDX-License-Identifier: Apache-2.0
#include "scrape/timing.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>

namespace espial::scrape {

namespace {

double clock_ms(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

}  // namespace

Stamp now_ms() { return {clock_ms(CLOCK_MONOTONIC), clock_ms(CLOCK_THREAD_CPUTIME_ID)}; }

double quantile(std::vector<double> values, double q) {
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size())));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

double ratio(const Timing& subject, const Timing& base) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < subject.cpu.size(); ++i)
    ratios.push_back(subject.cpu[i] / base.cpu[i]);
  return quantile(std::move(ratios), 0.5);
}

std::string table_head(const std::string& title) {
  return fmt::format("\n{:<52}{:>9}{:>9}{:>9}{:>11}{:>9}\n", title, "median", "p99", "spread",
                     "CPU median", "CPU p99");
}

std::string table_row(const std::string& name, const Timing& timing) {
  const double spread = quantile(timing.wall, 0.75) - quantile(timing.wall, 0.25);
  return fmt::format("  {:<50}{:>9.2f}{:>9.2f}{:>9.2f}{:>11.2f}{:>9.2f}\n", name,
                     quantile(timing.wall, 0.5), quantile(timing.wall, 0.99), spread,
                     quantile(timing.cpu, 0.5), quantile(timing.cpu, 0.99));
}

long resident_kib() {
  std::ifstream file("/proc/self/statm");
  long size = 0;
  long resident = 0;
  file >> size >> resident;
  return resident * (::sysconf(_SC_PAGESIZE) / 1024);
}

}  // namespace espial::scrape
