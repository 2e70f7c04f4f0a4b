// SPDX-License-Identifier: Apache-2.0
// BodyCache: one document, rendered once per report however many clients ask for it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "model/report.h"

namespace espial {

// Keeps what was asked for until a body of the next report is asked for, so that a flood of
// requests costs one rendering per report. Prometheus asks for gzip: then only that small body is
// kept, the plain one is gone once it is compressed. Not thread-safe.
class BodyCache {
 public:
  struct Body {
    std::shared_ptr<const std::string> text;
    bool gzipped = false;
  };

  // report may be null. render: the plain text of it.
  Body get(const std::shared_ptr<const Report>& report, bool accepts_gzip,
           const std::function<std::string()>& render);

 private:
  std::weak_ptr<const Report> report_;
  std::shared_ptr<const std::string> plain_;
  std::shared_ptr<const std::string> packed_;
};

}  // namespace espial
