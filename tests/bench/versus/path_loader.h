// SPDX-License-Identifier: Apache-2.0
// PathLoader: a running espial_packet_path, of this tree or of another revision.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/words.h"

namespace espial::bench {

// The two programs of a wire, over maps of their own.
struct PathPrograms {
  UniqueFd receive;
  UniqueFd transmit;
  [[nodiscard]] int fd(Direction direction) const {
    return direction == Direction::RECEIVE ? receive.get() : transmit.get();
  }
};

class PathLoader {
 public:
  static Result<PathLoader> start(const std::string& executable);
  PathLoader(PathLoader&& other) noexcept;
  PathLoader& operator=(PathLoader&&) = delete;
  ~PathLoader();

  // Programs and maps loaded afresh, with the table of a mesh of so many peers.
  Result<PathPrograms> load(std::uint32_t peers);

 private:
  struct Close {
    void operator()(FILE* file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<FILE, Close>;
  PathLoader() = default;
  std::string executable_;
  pid_t pid_ = -1;
  File to_;
  File from_;
};

}  // namespace espial::bench
