// SPDX-License-Identifier: Apache-2.0
// Api: what the read-only HTTP endpoint answers, without any HTTP.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "exporter/http/body_cache.h"
#include "exporter/http/latest_report.h"
#include "exporter/metrics/collector.h"

namespace espial {

struct Response {
  int status = 200;
  std::string content_type;
  std::shared_ptr<const std::string> body;  // never null
  bool gzipped = false;
};

// One line of text.
Response plain_response(int status, std::string_view text);

struct ApiOptions {
  std::string version;
  MetricChoice metrics = MetricChoice::kAuto;
  Collector::Notified notified{};
};

//   /               an index
//   /metrics        Prometheus text format
//   /healthz        200 while the daemon answers
//   /readyz         200 once there is a snapshot and a wire device carries both programs, else 503
//   /api/v1/status  status_document, 503 before the first snapshot
//   /api/v1/flows   flows_document, 503 if the flows cannot be read
// Everything else is 404. Not thread-safe: the server's one thread calls it.
class Api {
 public:
  // Called on the server's thread for each request of /api/v1/flows.
  using Flows = std::function<Result<std::vector<FlowRecord>>()>;

  using Drops = std::function<std::vector<DropRecord>()>;

  // drops: the same for what the kernel dropped; empty: it is not known.
  Api(std::shared_ptr<const LatestReport> latest, Flows flows, ApiOptions options,
      Drops drops = {});

  // path: without the query.
  [[nodiscard]] Response get(std::string_view path, bool accepts_gzip = false);

 private:
  [[nodiscard]] Response index() const;
  [[nodiscard]] Response metrics(bool accepts_gzip);
  [[nodiscard]] Response ready() const;
  [[nodiscard]] Response status(bool accepts_gzip);
  [[nodiscard]] Response flows() const;

  std::shared_ptr<const LatestReport> latest_;
  Flows flows_;
  Drops drops_;
  std::string version_;
  Collector collector_;
  BodyCache metrics_;
  BodyCache status_;
};

}  // namespace espial
