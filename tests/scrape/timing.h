// SPDX-License-Identifier: Apache-2.0
// How long a piece of work takes, over many rounds.
#pragma once

#include <string>
#include <vector>

namespace espial::scrape {

// Milliseconds, one of each round.
struct Timing {
  std::vector<double> wall;  // what the one who waits sees
  std::vector<double> cpu;   // of this thread: what else the machine does is not in it
};

// q: 0.5 the median, 0.99 what one in a hundred exceeds. values: at least one.
double quantile(std::vector<double> values, double q);

struct Stamp {
  double wall;
  double cpu;
};
Stamp now_ms();

// Runs `work` once and notes what it took.
template <typename Work>
void time_into(Timing& timing, Work&& work) {
  const Stamp begin = now_ms();
  work();
  const Stamp end = now_ms();
  timing.wall.push_back(end.wall - begin.wall);
  timing.cpu.push_back(end.cpu - begin.cpu);
}

// Median of subject / base, round by round, in CPU time: travels between machines.
double ratio(const Timing& subject, const Timing& base);

std::string table_head(const std::string& title);
std::string table_row(const std::string& name, const Timing& timing);

// Resident memory of this process, in KiB.
long resident_kib();

}  // namespace espial::scrape
