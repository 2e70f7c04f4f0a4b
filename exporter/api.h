// SPDX-License-Identifier: Apache-2.0
// Api: what the read-only HTTP endpoint answers, without any HTTP.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "exporter/collector.h"
#include "exporter/latest_report.h"

namespace espial {

struct Response {
  int status = 200;
  std::string content_type;
  std::string body;
};

struct ApiOptions {
  std::string version;
  MetricChoice metrics = MetricChoice::kAuto;
};

//   /               an index
//   /metrics        Prometheus text format
//   /healthz        200 while the daemon answers
//   /readyz         200 once there is a snapshot and a wire device carries both programs, else 503
//   /api/v1/status  status_document, 503 before the first snapshot
//   /api/v1/flows   flows_document, 503 if the flows cannot be read
// Everything else is 404. Thread-safe if `flows` is.
class Api {
 public:
  // Called on an HTTP thread for each request of /api/v1/flows.
  using Flows = std::function<Result<std::vector<FlowRecord>>()>;

  Api(std::shared_ptr<const LatestReport> latest, Flows flows, ApiOptions options);

  // path: decoded, without the query.
  [[nodiscard]] Response get(std::string_view path) const;

 private:
  [[nodiscard]] Response index() const;
  [[nodiscard]] Response ready() const;
  [[nodiscard]] Response status() const;
  [[nodiscard]] Response flows() const;

  std::shared_ptr<const LatestReport> latest_;
  Flows flows_;
  std::string version_;
  Collector collector_;
};

}  // namespace espial
