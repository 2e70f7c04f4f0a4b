// SPDX-License-Identifier: Apache-2.0
#include "base/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/printable.h"
#include "base/unique_fd.h"

namespace espial {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kStderrMax = 4096;
constexpr std::chrono::milliseconds kStopLook{100};

// A child of ours, the leader of its process group; killed with it and waited for when it goes out
// of scope.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    kill(-pid_, SIGKILL);
    wait();
  }
  int wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_;
};

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Error{std::string("pipe: ") + std::strerror(errno)};
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// In memory: a pipe would have to be filled while the child runs, and breaks when it does not read.
Result<UniqueFd> input_of(std::string_view text) {
  UniqueFd fd(text.empty() ? ::open("/dev/null", O_RDONLY | O_CLOEXEC)
                           : memfd_create("espial-input", MFD_CLOEXEC));
  if (!fd.valid()) return Error{std::string("create its stdin: ") + std::strerror(errno)};
  while (!text.empty()) {
    const ssize_t done = ::write(fd.get(), text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return Error{std::string("create its stdin: ") + std::strerror(errno)};
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

// posix_spawn() takes char* for historical reasons and does not write to them.
std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

Result<pid_t> spawn(const std::vector<std::string>& argv, const ChildLimits& limits,
                    const Pipe& out, const Pipe& err) {
  EP_ASSIGN(in, input_of(limits.input));
  auto variables = limits.environment;
  variables.emplace_back("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
  variables.emplace_back("LC_ALL=C");
  const auto arguments = pointers(argv);
  const auto environment = pointers(variables);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, in.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.write.get(), STDERR_FILENO);
  // Libraries open files without O_CLOEXEC now and then, also in other threads.
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  // The daemon blocks signals that it reads from a descriptor; the child must not inherit that.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0].c_str(), &actions, &attributes, arguments.data(),
                                environment.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return Error{std::string("start: ") + std::strerror(error)};
  return pid;
}

struct Stream {
  UniqueFd fd;
  std::string text;
  std::size_t max;
  bool over = false;

  // Reads what is there; at the end, or over its bound, the stream closes.
  void take() {
    char buffer[65536];
    const ssize_t got = ::read(fd.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) return fd.reset();
    const std::size_t room = max - text.size();
    over = static_cast<std::size_t>(got) > room;
    text.append(buffer, over ? room : static_cast<std::size_t>(got));
    if (over) fd.reset();
  }
};

// Until both streams end. An Error: the time is over, or the output is too long.
Status drain(Stream& out, Stream& err, const ChildLimits& limits) {
  const auto deadline = Clock::now() + limits.time;
  while (out.fd.valid() || err.fd.valid()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0)
      return Error{"still running after " + std::to_string(limits.time.count()) + " ms, stopped"};
    if (limits.stop != nullptr && *limits.stop) return Error{"stopped"};
    const auto pause = limits.stop == nullptr ? left : std::min(left, kStopLook);
    pollfd fds[] = {{out.fd.get(), POLLIN, 0}, {err.fd.get(), POLLIN, 0}};
    if (poll(fds, 2, static_cast<int>(pause.count())) < 0 && errno != EINTR)
      return Error{std::string("poll: ") + std::strerror(errno)};
    if (fds[0].revents != 0) out.take();
    if (out.over) return Error{"output larger than " + std::to_string(out.max) + " bytes, stopped"};
    if (fds[1].revents != 0) err.take();
  }
  return Ok{};
}

std::string first_line(std::string_view text) {
  return printable(text.substr(0, std::min(text.find('\n'), std::size_t{200})));
}

Result<std::string> run(const std::vector<std::string>& argv, const ChildLimits& limits) {
  EP_ASSIGN(out_pipe, make_pipe());
  EP_ASSIGN(err_pipe, make_pipe());
  EP_ASSIGN(pid, spawn(argv, limits, out_pipe, err_pipe));
  Child child(pid);
  out_pipe.write.reset();
  err_pipe.write.reset();
  Stream out{std::move(out_pipe.read), {}, limits.output, false};
  Stream err{std::move(err_pipe.read), {}, kStderrMax, false};
  EP_TRY(drain(out, err, limits));
  const int status = child.wait();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::move(out.text);
  if (!err.text.empty()) return Error{first_line(err.text)};
  if (WIFSIGNALED(status)) return Error{"ended by signal " + std::to_string(WTERMSIG(status))};
  return Error{"exit status " + std::to_string(WEXITSTATUS(status))};
}

}  // namespace

Result<std::string> run_child(const std::vector<std::string>& argv, const ChildLimits& limits) {
  auto result = run(argv, limits);
  if (result.ok()) return result;
  return std::move(result).error().wrap(argv[0]);
}

Result<std::string> find_program(const std::string& name) {
  for (const char* folder : {"/usr/sbin/", "/sbin/", "/usr/bin/", "/bin/"})
    if (auto path = folder + name; access(path.c_str(), X_OK) == 0) return path;
  return Error{name + ": not installed in /usr/sbin, /sbin, /usr/bin or /bin"};
}

}  // namespace espial
