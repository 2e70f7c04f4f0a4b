// SPDX-License-Identifier: Apache-2.0
// Scrapes over HTTP, as Prometheus makes them: a connection each, on loopback.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "exporter/http/latest_report.h"
#include "model/report.h"
#include "scrape/timing.h"

namespace espial::scrape {

// Moves the calling thread, and those that it starts later, into a network namespace of its own.
Status enter_own_network();

struct Exchanges {
  Timing plain;
  Timing packed;
  Timing repeated;  // plain, of a report that was asked for before
};

// From connect to the last byte, each of a report that nobody asked for before: all that a scraper
// waits for.
Result<Exchanges> time_exchanges(const std::vector<std::shared_ptr<const Report>>& reports,
                                 std::size_t rounds);

}  // namespace espial::scrape
