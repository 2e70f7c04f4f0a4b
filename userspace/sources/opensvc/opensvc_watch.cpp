// SPDX-License-Identifier: Apache-2.0
#include "sources/opensvc/opensvc_watch.h"

#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "base/unique_fd.h"
#include "sources/opensvc/opensvc_conf.h"
#include "sources/opensvc/opensvc_events.h"
#include "sources/opensvc/opensvc_socket.h"

namespace espial {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kAgain{60'000};       // names may resolve differently
constexpr milliseconds kTroubled{2'000};     // something could not be read, resolved or watched
constexpr milliseconds kAgentAgain{10'000};  // the same, and an agent was asked: that costs it work
constexpr milliseconds kAgentSoon{250};      // the agent failed: doubled each time
constexpr milliseconds kAgentLate{30'000};   // up to here
constexpr milliseconds kBreath{200};         // between two readings because of events
constexpr std::uint32_t kInFolder = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                    IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

struct FreeAddresses {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

std::vector<IpAddress> addresses_of(const std::string& host, Family family) {
  addrinfo hints{};
  hints.ai_family = family == Family::kIpv4 ? AF_INET : AF_INET6;
  hints.ai_socktype = SOCK_DGRAM;  // each address once
  addrinfo* list = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return {};
  const std::unique_ptr<addrinfo, FreeAddresses> owner(list);
  std::vector<IpAddress> out;
  for (const auto* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_family == AF_INET) {
      sockaddr_in address{};
      std::memcpy(&address, entry->ai_addr, sizeof address);
      out.emplace_back(Family::kIpv4, &address.sin_addr);
    } else if (entry->ai_family == AF_INET6) {
      sockaddr_in6 address{};
      std::memcpy(&address, entry->ai_addr, sizeof address);
      out.emplace_back(Family::kIpv6, &address.sin6_addr);
    }
  }
  return out;
}

// The resolver, with a memory: a name server that does not answer must not take addresses away.
class Names {
 public:
  std::vector<IpAddress> operator()(const std::string& host, Family family) {
    auto found = addresses_of(host, family);
    auto& known = known_[{host, family}];
    if (!found.empty()) known = std::move(found);
    return known;
  }

 private:
  std::map<std::pair<std::string, Family>, std::vector<IpAddress>> known_;
};

OpensvcFacts read_file(const std::string& path) {
  struct stat info = {};
  const bool missing = ::stat(path.c_str(), &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
  OpensvcFacts facts;
  if (missing) {
    facts.state = OpensvcState::kAbsent;
    facts.reason = printable(path) + ": there is none";
    return facts;
  }
  auto read = read_cluster_conf(path);
  if (read.ok()) return std::move(*read);
  facts.state = OpensvcState::kUnreadable;
  facts.reason = read.error().message;
  return facts;
}

struct Reading {
  OpensvcFacts facts;
  bool asked = false;  // an agent answered, or should have
};

// stop: readable when the result is no longer needed; -1: never.
Reading read_once(const std::string& path, OpensvcSocket& socket, Names& names, int stop) {
  Reading out{read_file(path)};
  auto& facts = out.facts;
  if (!facts.readable()) {
    auto told = socket.read(stop);
    out.asked = told.state != OpensvcState::kAbsent;
    if (told.state == OpensvcState::kUnreadable) told.reason = facts.reason + "; " + told.reason;
    if (out.asked) facts = std::move(told);
  }
  if (facts.readable())
    resolve_members(facts,
                    [&](const std::string& host, Family family) { return names(host, family); });
  return out;
}

// inotify on the folder of the file; without it the thread looks every kTroubled.
class FolderWatch {
 public:
  explicit FolderWatch(std::string folder)
      : folder_(std::move(folder)), fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

  [[nodiscard]] int fd() const { return fd_.get(); }
  // True: changes in the folder will be reported.
  bool ensure() {
    if (!fd_.valid()) return false;
    // The same folder gets the same watch again; a folder that was replaced gets a new one.
    return ::inotify_add_watch(fd_.get(), folder_.c_str(), kInFolder) >= 0;
  }
  void drain() const {
    alignas(inotify_event) std::array<char, 4096> buffer;
    while (::read(fd_.get(), buffer.data(), buffer.size()) > 0) {
    }
  }

 private:
  std::string folder_;
  UniqueFd fd_;
};

void signal_once(int fd) {
  const std::uint64_t one = 1;
  (void)!::write(fd, &one, sizeof one);
}

}  // namespace

OpensvcFacts read_opensvc(const OpensvcPlaces& places) {
  Names names;
  OpensvcSocket socket(places.socket);
  return read_once(places.conf, socket, names, -1).facts;
}

struct OpensvcWatch::Shared {
  OpensvcPlaces places;
  UniqueFd ready;
  UniqueFd stop;
  std::mutex mutex;
  OpensvcFacts facts;      // by mutex
  bool published = false;  // by mutex
  std::thread thread;

  ~Shared() {
    if (!thread.joinable()) return;
    signal_once(stop.get());
    thread.join();
  }

  void publish(OpensvcFacts now) {
    {
      const std::scoped_lock lock(mutex);
      if (published && facts == now) return;
      facts = std::move(now);
      published = true;
    }
    signal_once(ready.get());
  }

  void run() {
    Names names;
    OpensvcSocket socket(places.socket);
    OpensvcEvents events(places.socket);
    FolderWatch folder(folder_of(places.conf));
    auto failed = kAgentSoon;
    while (true) {
      // Watched first: changes during the read are reported afterwards.
      const bool told = folder.ensure();
      (void)events.advance(Clock::now());
      auto now = read_once(places.conf, socket, names, stop.get());
      const bool fine = told && now.facts.readable() && now.facts.problems.empty();
      auto soon = now.asked ? kAgentAgain : kTroubled;
      if (now.facts.readable()) {
        failed = kAgentSoon;
      } else if (now.asked) {
        soon = failed;
        failed = std::min(failed * 2, kAgentLate);
      }
      publish(std::move(now.facts));
      if (!wait_for_news(folder, events, fine ? kAgain : soon)) return;
    }
  }

  // Until it is time to read again; false: to end.
  bool wait_for_news(const FolderWatch& folder, OpensvcEvents& events, milliseconds most) const {
    const auto begin = Clock::now();
    auto until = begin + most;
    while (true) {
      const auto now = Clock::now();
      if (now >= until) return true;
      const auto left = std::chrono::ceil<milliseconds>(std::min(until, events.next()) - now);
      std::array<pollfd, 3> wait{
          {{stop.get(), POLLIN, 0}, {folder.fd(), POLLIN, 0}, {events.fd(), events.events(), 0}}};
      const auto rest = std::max(left, milliseconds(0)).count();
      (void)::poll(wait.data(), wait.size(), static_cast<int>(rest));
      if ((wait[0].revents & POLLIN) != 0) return false;
      if ((wait[1].revents & POLLIN) != 0) {
        folder.drain();
        return true;
      }
      // A storm of events is read after once.
      if (events.advance(Clock::now())) until = std::min(until, begin + kBreath);
    }
  }
};

OpensvcWatch::OpensvcWatch(std::unique_ptr<Shared> shared) : shared_(std::move(shared)) {}
OpensvcWatch::OpensvcWatch(OpensvcWatch&&) noexcept = default;
OpensvcWatch& OpensvcWatch::operator=(OpensvcWatch&&) noexcept = default;
OpensvcWatch::~OpensvcWatch() = default;

Result<OpensvcWatch> OpensvcWatch::start(const OpensvcPlaces& places,
                                         std::function<void()> prepare) {
  auto shared = std::make_unique<Shared>();
  shared->places = places;
  shared->ready = UniqueFd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  shared->stop = UniqueFd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!shared->ready.valid() || !shared->stop.valid())
    return Error{std::string("OpenSVC: make an event descriptor: ") + std::strerror(errno)};
  // Signals belong to the event loop: the thread inherits a full mask.
  sigset_t every;
  sigset_t before;
  sigfillset(&every);
  pthread_sigmask(SIG_SETMASK, &every, &before);
  std::string problem;
  try {
    shared->thread = std::thread([raw = shared.get(), prepare = std::move(prepare)] {
      if (prepare) prepare();
      raw->run();
    });
  } catch (const std::system_error& e) {
    problem = e.what();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!problem.empty()) return Error{"OpenSVC: start a thread: " + problem};
  return OpensvcWatch(std::move(shared));
}

int OpensvcWatch::fd() const { return shared_->ready.get(); }

OpensvcFacts OpensvcWatch::take() {
  std::uint64_t count = 0;
  (void)!::read(shared_->ready.get(), &count, sizeof count);
  const std::scoped_lock lock(shared_->mutex);
  if (shared_->published) return shared_->facts;
  OpensvcFacts none;
  none.state = OpensvcState::kUnreadable;
  none.reason = "its names are still being resolved";
  return none;
}

OpensvcFacts OpensvcWatch::first(int milliseconds) {
  pollfd wait{fd(), POLLIN, 0};
  (void)::poll(&wait, 1, milliseconds);
  return take();
}

}  // namespace espial
