// SPDX-License-Identifier: Apache-2.0
#include "exporter/api.h"

#include <algorithm>

#include "exporter/status_document.h"

namespace espial {

namespace {

constexpr std::string_view kMetrics = "text/plain; version=0.0.4; charset=utf-8";

Response plain(int status, std::string_view text) {
  return {status, "text/plain; charset=utf-8", std::string(text) + "\n"};
}

Response document(int status, const nlohmann::json& json) {
  return {status, "application/json", document_text(json)};
}

Response failure(std::string_view message) {
  return document(503, {{"schema_version", kSchemaVersion}, {"error", std::string(message)}});
}

bool watches_both_ways(const DeviceSnapshot& device) {
  return device.role != DeviceRole::kReentry && device.receive_attached && device.transmit_attached;
}

}  // namespace

Api::Api(std::shared_ptr<const LatestReport> latest, Flows flows, ApiOptions options)
    : latest_(latest),
      flows_(std::move(flows)),
      version_(options.version),
      collector_(std::move(latest), std::move(options.version), options.metrics) {}

Response Api::get(std::string_view path) const {
  if (path == "/") return index();
  if (path == "/metrics") return {200, std::string(kMetrics), collector_.text()};
  if (path == "/healthz") return plain(200, "ok");
  if (path == "/readyz") return ready();
  if (path == "/api/v1/status") return status();
  if (path == "/api/v1/flows") return flows();
  return plain(404, "not found");
}

Response Api::index() const {
  return {200, "text/html; charset=utf-8",
          "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>espial</title>"
          "</head><body><h1>espial " +
              version_ +
              "</h1><ul>"
              "<li><a href=\"/metrics\">/metrics</a></li>"
              "<li><a href=\"/api/v1/status\">/api/v1/status</a></li>"
              "<li><a href=\"/api/v1/flows\">/api/v1/flows</a></li>"
              "<li><a href=\"/healthz\">/healthz</a></li>"
              "<li><a href=\"/readyz\">/readyz</a></li>"
              "</ul></body></html>\n"};
}

Response Api::ready() const {
  const auto report = latest_->get();
  if (!report) return plain(503, "not ready: no snapshot yet");
  const auto& devices = report->snapshot.devices;
  if (std::none_of(devices.begin(), devices.end(), watches_both_ways))
    return plain(503, "not ready: no wire device carries both programs");
  return plain(200, "ready");
}

Response Api::status() const {
  const auto report = latest_->get();
  if (!report) return failure("no snapshot yet");
  return document(200, status_document(*report));
}

Response Api::flows() const {
  const auto flows = flows_();
  if (!flows) return failure(flows.error().message);
  return document(200, flows_document(*flows));
}

}  // namespace espial
