// SPDX-License-Identifier: Apache-2.0
// Many GETs of one server, some at a time: a cluster of a hundred nodes is asked in the time of a
// few answers, and the server never has more than so many of ours to think about.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"
#include "sources/opensvc/http_get.h"

namespace espial {

struct HttpParallel {
  std::size_t at_once = 1;         // connections
  std::size_t limit = 0;           // bytes of each body
  std::chrono::milliseconds each;  // how long one answer may take
};

// The answers in the order of the targets, whatever their status. The first that cannot be had is
// an error of all. Blocks, as patience says.
Result<std::vector<HttpReply>> http_get_all(const std::string& path,
                                            const std::vector<std::string>& targets,
                                            const HttpParallel& crowd,
                                            const HttpTimeouts& patience);

}  // namespace espial
