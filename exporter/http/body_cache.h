// SPDX-License-Identifier: Apache-2.0
// BodyCache: one document, rendered once per report, for any number of clients.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "model/report.h"

namespace espial {

// Keeps what was asked for until a body of the next report is asked for, so that a flood of
// requests costs one rendering per report. Prometheus asks for gzip: then there is only that small
// body, compressed piece by piece as it is rendered. Not thread-safe.
class BodyCache {
 public:
  struct Body {
    std::shared_ptr<const std::string> text;
    bool gzipped = false;
  };

  // Takes the plain text, piece by piece.
  using Sink = std::function<void(std::string_view)>;
  using Render = std::function<void(const Sink&)>;

  // report may be null. render: gives the plain text of it.
  Body get(const std::shared_ptr<const Report>& report, bool accepts_gzip, const Render& render);

 private:
  [[nodiscard]] Body plain(const Render& render);

  std::weak_ptr<const Report> report_;
  std::size_t size_ = 0;  // of the last plain body: the next will be about as long
  std::shared_ptr<std::string> plain_;
  std::string spare_;  // room for the next plain body
  std::shared_ptr<const std::string> packed_;
};

}  // namespace espial
