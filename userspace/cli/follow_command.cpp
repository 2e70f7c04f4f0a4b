// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <optional>
#include <ostream>

#include "base/printable.h"
#include "cli/terminal/interrupts.h"
#include "cli/text/flows_text.h"
#include "cli/text/wording.h"
#include "control/control_client.h"
#include "model/config.h"

namespace espial {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kRetryAfter{250};
constexpr std::chrono::milliseconds kFrame{20};  // with Console::next_frame, which tests have

class Follow {
 public:
  Follow(std::string path, const FlowsOptions& options, std::chrono::seconds since,
         Console& console)
      : path_(std::move(path)), options_(options), since_(since), console_(console) {}

  int run() {
    auto first = connect();
    if (!first.ok())
      return report(
          Error{first.error().message + "\nflows --follow needs a running daemon (systemctl start "
                                        "espial); without --follow the pinned maps are read"},
          console_);
    stream_ = std::move(first).value();
    while (!done_) {
      wait();
      if (stream_)
        take();
      else
        reconnect();
    }
    return status_;
  }

 private:
  Result<ControlStream> connect() {
    buffer_.clear();
    return ControlStream::open(path_, "follow " + std::to_string(since_.count()));
  }

  // Until something came, it is time to try again, or the end.
  void wait() {
    const int out = console_.descriptor;
    std::array<pollfd, 3> entries{pollfd{interrupts_.descriptor(), POLLIN, 0},
                                  pollfd{stream_ ? stream_->descriptor() : -1, POLLIN, 0},
                                  pollfd{out, 0, 0}};
    const auto longest = console_.next_frame ? kFrame : kRetryAfter;
    const bool endless = stream_ && !console_.next_frame;
    ::poll(entries.data(), entries.size(), endless ? -1 : static_cast<int>(longest.count()));
    if (interrupts_.take() != 0) done_ = true;
    if ((entries[2].revents & (POLLERR | POLLHUP)) != 0) done_ = true;  // nobody reads
    if (console_.next_frame && !console_.next_frame()) done_ = true;
  }

  void take() {
    const bool open = stream_->read(buffer_);
    std::string text;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = buffer_.find('\n', begin)) != std::string::npos;
         begin = end + 1)
      text += shown(std::string_view(buffer_).substr(begin, end - begin));
    buffer_.erase(0, begin);
    if (!text.empty()) write(text);
    if (open || done_) return;
    stream_.reset();
    gone_ = Clock::now();
    say("the daemon stopped; waiting for it (Ctrl-C quits)");
  }

  // One line of the stream as it is printed; empty when it is not.
  std::string shown(std::string_view line) {
    const json event = json::parse(line, nullptr, false);
    if (const auto error = text_field(event, "error"); !error.empty() || !event.is_object()) {
      fail(Error{printable(path_) + ": follow: " +
                 (error.empty() ? "the answer is not a JSON object (is this espial?)" : error)});
      return {};
    }
    if (text_field(event, "event") == "start") {
      if (const auto version = count_field(event, "schema_version"); version != 1) {
        fail(Error{printable(path_) + ": follow: schema_version is " + std::to_string(version) +
                   "; this espial reads 1 (use the daemon's version of espial)"});
        return {};
      }
      if (gone_) say("the daemon is back");
      gone_.reset();
    }
    if (!is_followed(event, options_.klass)) return {};
    if (options_.json) return event.dump(-1, ' ', true, json::error_handler_t::replace) + "\n";
    return follow_line(event, console_.style);
  }

  void write(const std::string& text) {
    errno = 0;
    console_.out << text << std::flush;
    if (console_.out) return;
    done_ = true;
    if (errno != EPIPE) fail(Error{"standard output: write: failed (is the disk full?)"});
  }

  // Flows of the gap are reported then, if the flow table still has them.
  void reconnect() {
    since_ = std::chrono::ceil<std::chrono::seconds>(Clock::now() - *gone_);
    auto again = connect();
    if (again.ok()) stream_ = std::move(again).value();
  }

  void say(std::string_view text) { console_.err << "espial: " << text << '\n' << std::flush; }

  void fail(const Error& error) {
    if (!done_ || status_ == kExitGood) status_ = report(error, console_);
    done_ = true;
  }

  const std::string path_;
  const FlowsOptions& options_;
  std::chrono::seconds since_;
  Console& console_;
  const Interrupts interrupts_;
  std::optional<ControlStream> stream_;
  std::string buffer_;                     // the beginning of a line
  std::optional<Clock::time_point> gone_;  // since when there is no daemon
  bool done_ = false;
  int status_ = kExitGood;
};

}  // namespace

int follow_command(const Config& config, const FlowsOptions& options, std::chrono::seconds since,
                   Console& console) {
  return Follow(control_socket_path(config.state_dir), options, since, console).run();
}

}  // namespace espial
