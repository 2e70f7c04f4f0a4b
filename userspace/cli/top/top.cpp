// SPDX-License-Identifier: Apache-2.0
#include "cli/top/top.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "cli/terminal/interrupts.h"
#include "cli/terminal/report.h"
#include "cli/top/curses_screen.h"

namespace espial {
namespace {

// The keys that wait, one after another: each means what it means on the screen before it.
TopView pressed(CursesScreen& screen, const TopData& data, TopView view) {
  auto extent = render_top(data, view, false).extent;
  while (const auto key = screen.key()) {
    if (key->kind == TopKey::Kind::kOther) continue;
    view = step(std::move(view), *key, extent);
    if (view.quit) break;
    extent = render_top(data, view, false).extent;
  }
  return view;
}

}  // namespace

int run_top(TopSources sources, double interval, Console& console) {
  if (const auto usable = CursesScreen::usable(); !usable.ok())
    return report(usable.error(), console);
  auto first = sources.status();
  if (!first.ok()) return report(first.error(), console);
  const Interrupts interrupts;  // before ncurses takes what is left of the signals
  // Outlives the terminal: what is asked may still take its time when that is as before.
  std::optional<TopFeed> feed;
  auto opened = CursesScreen::open();
  if (!opened.ok()) return report(opened.error(), console);
  CursesScreen screen = std::move(opened).value();
  feed.emplace(std::move(sources), std::move(first).value(),
               std::chrono::milliseconds(static_cast<std::int64_t>(interval * 1000)));
  TopView view;
  auto data = feed->take();
  while (!view.quit) {
    screen.measure(view);
    screen.draw(render_top(*data, view, screen.colour()));
    std::array<pollfd, 3> entries{pollfd{interrupts.descriptor(), POLLIN, 0},
                                  pollfd{feed->descriptor(), POLLIN, 0},
                                  pollfd{STDIN_FILENO, POLLIN, 0}};
    // Ends early when the terminal was resized, or the program stopped and continued.
    ::poll(entries.data(), entries.size(), -1);
    if (interrupts.take() != 0 || (entries[2].revents & (POLLERR | POLLHUP)) != 0) break;
    data = feed->take();
    view = pressed(screen, *data, std::move(view));
    feed->want(view.page == TopPage::kPeer, view.paused);
  }
  return kExitGood;
}

}  // namespace espial
