// SPDX-License-Identifier: Apache-2.0
#include "daemon/run.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "base/system_error.h"
#include "control/control_server.h"
#include "daemon/followers.h"
#include "daemon/instance/instance_lock.h"
#include "daemon/log.h"
#include "daemon/node.h"
#include "daemon/watch/privileges.h"
#include "exporter/documents/audit_document.h"
#include "exporter/documents/diagnosis_documents.h"
#include "exporter/documents/modes_document.h"
#include "exporter/documents/status_document.h"
#include "exporter/http/api.h"
#include "exporter/http/http_server.h"
#include "model/config.h"

namespace espial {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSettleAfter{100};  // changes within this time are read together
constexpr milliseconds kEventPause{20};    // between evaluations that events wake

Error loop_error(const char* what) { return system_error("event loop", what, errno); }

// Signals arrive through a descriptor; threads started later inherit the mask.
Result<UniqueFd> take_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  if (sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) return loop_error("mask signals");
  UniqueFd fd(signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd.valid()) return loop_error("take signals");
  return fd;
}

// A timer that is armed at once with `first` and then every `every` (0: once).
class Timer {
 public:
  static Result<Timer> open() {
    Timer timer;
    timer.fd_ = UniqueFd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!timer.fd_.valid()) return loop_error("make timer");
    return timer;
  }
  void arm(milliseconds first, milliseconds every = milliseconds{0}) const {
    const auto spec = [](milliseconds m) {
      return timespec{m.count() / 1000, m.count() % 1000 * 1'000'000};
    };
    const itimerspec when{spec(every), spec(first)};
    timerfd_settime(fd_.get(), 0, &when, nullptr);
  }
  void acknowledge() const {
    std::uint64_t expired = 0;
    (void)!::read(fd_.get(), &expired, sizeof(expired));
  }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
};

// What woke the loop.
enum class Wake : std::uint32_t {
  kSignal,
  kTick,
  kSettle,
  kPause,
  kKernel,
  kFlow,
  kCharon,
  kControl,
  kOpensvc,
  kProbe
};

// sd-event (systemd 252) was tried: a wake took 1.5 microseconds of processor, here 1.2. Its
// descriptor does not tell of a timer unless sd_event_prepare() ran before the wait, so rooms could
// not hand out theirs as they do their epoll sets; and an exception out of a handler left the loop
// refusing to run (EBUSY).
class Loop {
 public:
  Loop(Node& node, ControlServer& control, Followers& followers, UniqueFd signals)
      : node_(node), control_(control), followers_(followers), signals_(std::move(signals)) {}

  Status prepare() {
    epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_.valid()) return loop_error("make epoll set");
    EP_TRY(open(tick_));
    EP_TRY(open(settle_));
    EP_TRY(open(pause_));
    EP_TRY(watch(signals_.get(), Wake::kSignal));
    EP_TRY(watch(tick_->fd(), Wake::kTick));
    EP_TRY(watch(settle_->fd(), Wake::kSettle));
    EP_TRY(watch(pause_->fd(), Wake::kPause));
    EP_TRY(watch(node_.kernel_events(), Wake::kKernel));
    EP_TRY(watch(node_.flow_events(), Wake::kFlow));
    EP_TRY(watch(node_.charon_events(), Wake::kCharon));
    EP_TRY(watch(control_.descriptor(), Wake::kControl));
    EP_TRY(watch(node_.probe_events(), Wake::kProbe));
    if (node_.opensvc_events() >= 0) EP_TRY(watch(node_.opensvc_events(), Wake::kOpensvc));
    tick_->arm(milliseconds{1000}, milliseconds{1000});
    return Ok{};
  }

  Status run() {
    while (!stop_) {
      std::array<epoll_event, 8> events{};
      const int count = epoll_wait(epoll_.get(), events.data(), events.size(), -1);
      if (count < 0 && errno != EINTR) return loop_error("wait");
      for (int i = 0; i < count; ++i)
        handle(static_cast<Wake>(events[static_cast<std::size_t>(i)].data.u32));
    }
    return Ok{};
  }

 private:
  static Status open(std::optional<Timer>& timer) {
    EP_ASSIGN(opened, Timer::open());
    timer = std::move(opened);
    return Ok{};
  }

  Status watch(int fd, Wake wake) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = static_cast<std::uint32_t>(wake);
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return loop_error("watch");
    return Ok{};
  }

  void handle(Wake wake) {
    switch (wake) {
      case Wake::kSignal:
        return on_signal();
      case Wake::kTick:
        tick_->acknowledge();
        node_.tick();
        followers_.tick();
        (void)sd_notify(0, "WATCHDOG=1");
        return settle_soon();
      case Wake::kSettle:
        settle_->acknowledge();
        settling_ = false;
        if (node_.unsettled()) node_.settle();
        return;
      case Wake::kKernel:
        node_.on_kernel_events();
        return settle_soon();
      case Wake::kFlow:
        return on_flow();
      case Wake::kCharon:
        return node_.on_charon_events();
      case Wake::kPause:
        pause_->acknowledge();
        pausing_ = false;
        if (std::exchange(evaluate_later_, false)) on_unprotected();
        return;
      case Wake::kControl:
        return control_.serve();
      case Wake::kOpensvc:
        return node_.on_opensvc();
      case Wake::kProbe:
        return node_.on_probe_events();
    }
  }

  void settle_soon() {
    if (settling_ || !node_.unsettled()) return;
    settling_ = true;
    settle_->arm(kSettleAfter);
  }

  void on_flow() {
    if (!followers_.on_flow_events()) return;
    if (pausing_)
      evaluate_later_ = true;
    else
      on_unprotected();
  }

  // A flood of new flows wakes at most 50 evaluations a second.
  void on_unprotected() {
    node_.evaluate();
    pausing_ = true;
    pause_->arm(kEventPause);
  }

  void on_signal() {
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof(info)) != sizeof(info)) return;
    if (info.ssi_signo == SIGHUP) {
      (void)sd_notify(0, "RELOADING=1");
      node_.reload();
      node_.evaluate();
      (void)sd_notify(0, "READY=1");
      return;
    }
    stop_ = true;
  }

  Node& node_;
  ControlServer& control_;
  Followers& followers_;
  UniqueFd signals_;
  UniqueFd epoll_;
  std::optional<Timer> tick_;
  std::optional<Timer> settle_;
  std::optional<Timer> pause_;
  bool settling_ = false;
  bool pausing_ = false;
  bool evaluate_later_ = false;
  bool stop_ = false;
};

// Answers show the current state, not that of the last tick.
std::string answer(Node& node, std::string_view request) {
  if (request == "status" || request == "flows" || request == "alarms") node.evaluate();
  if (request == "status") return document_text(status_document(*node.latest()->get()));
  if (request == "alarms") return document_text(node.alarms());
  if (request == "flows")
    return document_text(flows_document(node.flows()->get(), node.drops()->get()));
  if (request == "audit")
    return document_text(
        audit_document(*node.audit(), node.topology().node, std::chrono::system_clock::now()));
  if (request == "charon") return document_text(ike_troubles_document(node.ike_troubles()));
  constexpr std::string_view kPolicy = "policy ";
  if (request.substr(0, kPolicy.size()) == kPolicy) {
    const auto line = nlohmann::json::parse(request.substr(kPolicy.size()), nullptr, false);
    const auto wanted = mode_request(line);
    return document_text(wanted.ok() ? node.mode_command(*wanted) : error_document(wanted.error()));
  }
  return R"({"error":"unknown request; known are status, alarms, flows, follow, audit, charon )"
         R"(and policy"})";
}

Result<std::optional<HttpServer>> serve_http(const Node& node, const std::string& version) {
  EP_ASSIGN(listen, parse_listen(node.config().listen, node.config().listen_anywhere));
  if (!listen) return std::optional<HttpServer>();
  const auto choice = parse_metric_choice(node.config().metrics).value_or(MetricChoice::kAuto);
  auto api = std::make_unique<Api>(
      node.latest(),
      [flows = node.flows()] { return Result<std::vector<FlowRecord>>(flows->get()); },
      ApiOptions{version, choice, [&node] { return node.notified(); }},
      [drops = node.drops()] { return drops->get(); });
  EP_ASSIGN(server, HttpServer::open(*listen, std::move(api)));
  spdlog::info("listening on http://{}", server.address().text());
  return std::optional<HttpServer>(std::move(server));
}

// Programs and maps are pinned: enforcement continues when this process ends.
int arm(Node& node) {
  node.evaluate();
  node.save_alarms();
  const auto& peers = node.topology().peers;
  const auto enforced = std::count_if(peers.begin(), peers.end(),
                                      [](const Peer& p) { return p.mode == Mode::ENFORCE; });
  spdlog::info("armed: {} of {} peers in enforce", enforced, peers.size());
  const auto unattached = node.unattached();
  for (const auto& line : unattached) spdlog::error("{}", line);
  return unattached.empty() ? 0 : 1;
}

}  // namespace

Result<int> run_daemon(const Config& config, const RunOptions& options,
                       const std::string& version) {
  auto journal = start_log();
  EP_ASSIGN(lock, lock_instance(config.state_dir));
  EP_ASSIGN(signals, take_signals());
  EP_ASSIGN(node, Node::start(config, options.config_path, options.strict));
  node->log_alarms_to(std::move(journal));
  if (options.arm) return arm(*node);
  node->evaluate();
  EP_ASSIGN(control, ControlServer::open(control_socket_path(config.state_dir),
                                         [&node = *node](std::string_view request) {
                                           return answer(node, request);
                                         }));
  Followers followers(*node, control);
  // Capabilities are per thread: threads must be started later.
  EP_TRY(drop_privileges());
  EP_TRY(node->start_notifier(options.strict));
  EP_ASSIGN(http, serve_http(*node, version));
  Loop loop(*node, control, followers, std::move(signals));
  EP_TRY(loop.prepare());
  (void)sd_notify(0, "READY=1");
  EP_TRY(loop.run());
  node->save_alarms();
  (void)sd_notify(0, "STOPPING=1");
  spdlog::info(
      "stopping; the programs stay attached and keep counting (espial detach removes them)");
  return 0;
}

}  // namespace espial
