// SPDX-License-Identifier: Apache-2.0
#include "bench/versus/path_loader.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace espial::bench {

Result<PathLoader> PathLoader::start(const std::string& executable) {
  std::array<int, 2> to{};
  std::array<int, 2> from{};
  if (pipe2(to.data(), O_CLOEXEC) != 0 || pipe2(from.data(), O_CLOEXEC) != 0)
    return Error{fmt::format("{}: pipe: {}", executable, std::strerror(errno))};
  PathLoader loader;
  loader.executable_ = executable;
  loader.pid_ = fork();
  if (loader.pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(to[0], STDIN_FILENO);
    dup2(from[1], STDOUT_FILENO);
    execl(executable.c_str(), executable.c_str(), nullptr);
    _exit(127);
  }
  ::close(to[0]);
  ::close(from[1]);
  loader.to_.reset(fdopen(to[1], "w"));
  loader.from_.reset(fdopen(from[0], "r"));
  if (loader.pid_ < 0 || !loader.to_ || !loader.from_)
    return Error{fmt::format("{}: cannot be started: {}", executable, std::strerror(errno))};
  return loader;
}

PathLoader::PathLoader(PathLoader&& other) noexcept
    : executable_(std::move(other.executable_)),
      pid_(std::exchange(other.pid_, -1)),
      to_(std::move(other.to_)),
      from_(std::move(other.from_)) {}

PathLoader::~PathLoader() {
  to_.reset();  // the end of its input ends it
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
}

Result<PathPrograms> PathLoader::load(std::uint32_t peers) {
  unsigned receive = 0;
  unsigned transmit = 0;
  if (std::fprintf(to_.get(), "%u\n", peers) < 0 || std::fflush(to_.get()) != 0 ||
      std::fscanf(from_.get(), "%u %u", &receive, &transmit) != 2)
    return Error{fmt::format("{}: a mesh of {} peers: not loaded", executable_, peers)};
  PathPrograms programs{UniqueFd(bpf_prog_get_fd_by_id(receive)),
                        UniqueFd(bpf_prog_get_fd_by_id(transmit))};
  if (!programs.receive.valid() || !programs.transmit.valid())
    return Error{fmt::format("{}: its programs: {}", executable_, std::strerror(errno))};
  return programs;
}

}  // namespace espial::bench
