// SPDX-License-Identifier: Apache-2.0
#include "exporter/http/api.h"

#include <algorithm>
#include <utility>

#include "exporter/documents/status_document.h"
#include "exposition/text.h"

namespace espial {

namespace {

constexpr std::string_view kJson = "application/json";

Response whole(int status, std::string_view content_type, std::string body) {
  return {status, std::string(content_type), std::make_shared<const std::string>(std::move(body))};
}

Response document(int status, const nlohmann::json& json) {
  return whole(status, kJson, document_text(json));
}

Response failure(std::string_view message) {
  return document(503, {{"schema_version", kSchemaVersion}, {"error", std::string(message)}});
}

bool watches_both_ways(const DeviceSnapshot& device) {
  return device.role != DeviceRole::kReentry && device.receive_attached && device.transmit_attached;
}

}  // namespace

Response plain_response(int status, std::string_view text) {
  return whole(status, "text/plain; charset=utf-8", std::string(text) + "\n");
}

Api::Api(std::shared_ptr<const LatestReport> latest, Flows flows, ApiOptions options, Drops drops)
    : latest_(std::move(latest)),
      flows_(std::move(flows)),
      drops_(std::move(drops)),
      version_(options.version),
      collector_(std::move(options.version), options.metrics, std::move(options.notified)) {}

Response Api::get(std::string_view path, bool accepts_gzip) {
  if (path == "/") return index();
  if (path == "/metrics") return metrics(accepts_gzip);
  if (path == "/healthz") return plain_response(200, "ok");
  if (path == "/readyz") return ready();
  if (path == "/api/v1/status") return status(accepts_gzip);
  if (path == "/api/v1/flows") return flows();
  return plain_response(404, "not found");
}

Response Api::index() const {
  return whole(
      200, "text/html; charset=utf-8",
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>espial</title>"
      "</head><body><h1>espial " +
          version_ +
          "</h1><ul>"
          "<li><a href=\"/metrics\">/metrics</a></li>"
          "<li><a href=\"/api/v1/status\">/api/v1/status</a></li>"
          "<li><a href=\"/api/v1/flows\">/api/v1/flows</a></li>"
          "<li><a href=\"/healthz\">/healthz</a></li>"
          "<li><a href=\"/readyz\">/readyz</a></li>"
          "</ul></body></html>\n");
}

Response Api::ready() const {
  const auto report = latest_->get();
  if (!report) return plain_response(503, "not ready: no snapshot yet");
  const auto& devices = report->snapshot.devices;
  if (std::none_of(devices.begin(), devices.end(), watches_both_ways))
    return plain_response(503, "not ready: no wire device carries both programs");
  return plain_response(200, "ready");
}

Response Api::metrics(bool accepts_gzip) {
  const auto report = latest_->get();
  BodyCache::Body body = metrics_.get(report, accepts_gzip, [&](const BodyCache::Sink& sink) {
    collector_.write(report.get(), sink);
  });
  return {200, std::string(exposition::kContentType), std::move(body.text), body.gzipped};
}

Response Api::status(bool accepts_gzip) {
  const auto report = latest_->get();
  if (!report) return failure("no snapshot yet");
  BodyCache::Body body = status_.get(report, accepts_gzip, [&](const BodyCache::Sink& sink) {
    sink(document_text(status_document(*report)));
  });
  return {200, std::string(kJson), std::move(body.text), body.gzipped};
}

Response Api::flows() const {
  const auto flows = flows_();
  if (!flows) return failure(flows.error().message);
  return document(200, flows_document(*flows, drops_ ? drops_() : std::vector<DropRecord>{}));
}

}  // namespace espial
