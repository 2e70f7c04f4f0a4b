// SPDX-License-Identifier: Apache-2.0
// A server on a port of its own, and what its clients do with what it says.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "exporter/http/http_server.h"

namespace espial::testing {

inline Result<std::vector<FlowRecord>> no_flows() { return std::vector<FlowRecord>{}; }

inline std::unique_ptr<Api> api_of(std::shared_ptr<const LatestReport> latest,
                                   Api::Flows flows = no_flows) {
  return std::make_unique<Api>(std::move(latest), std::move(flows),
                               ApiOptions{.version = "0.1.0", .metrics = MetricChoice::kFull});
}

inline HttpServer serve(std::unique_ptr<Api> api, const char* listen = "127.0.0.1:0",
                        HttpLimits limits = {}) {
  auto server = HttpServer::open(*parse_listen(listen, false).value(), std::move(api), limits);
  EXPECT_TRUE(server) << server.error().message;
  return std::move(server).value();
}

inline std::string gunzip(const std::string& packed) {
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  std::string out(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

}  // namespace espial::testing
