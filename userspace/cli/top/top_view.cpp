// SPDX-License-Identifier: Apache-2.0
#include "cli/top/top_view.h"

#include <algorithm>

namespace espial {
namespace {

using Kind = TopKey::Kind;

// Where the selection is among the names; 0 when it is not there any more.
std::size_t index_of(const TopView& view, const TopExtent& extent) {
  const auto it = std::find(extent.names.begin(), extent.names.end(), view.selected);
  return it == extent.names.end() ? 0 : static_cast<std::size_t>(it - extent.names.begin());
}

// How far a key moves, in lines; nothing for other keys.
std::ptrdiff_t distance(TopKey key, std::size_t rows, std::size_t lines) {
  const auto page = static_cast<std::ptrdiff_t>(std::max<std::size_t>(rows, 1));
  const auto all = static_cast<std::ptrdiff_t>(lines);
  switch (key.kind) {
    case Kind::kUp:
      return -1;
    case Kind::kDown:
      return 1;
    case Kind::kPageUp:
      return -page;
    case Kind::kPageDown:
      return page;
    case Kind::kHome:
      return -all;
    case Kind::kEnd:
      return all;
    case Kind::kText:
      if (key.text == 'k') return -1;
      if (key.text == 'j') return 1;
      return key.text == ' ' ? page : 0;
    case Kind::kLeft:
    case Kind::kRight:
    case Kind::kEnter:
    case Kind::kEscape:
    case Kind::kBackspace:
    case Kind::kOther:
      return 0;
  }
  return 0;
}

std::size_t moved(std::size_t from, std::ptrdiff_t by, std::size_t end) {
  if (end == 0) return 0;
  const auto last = static_cast<std::ptrdiff_t>(end) - 1;
  return static_cast<std::size_t>(
      std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(from) + by, 0, last));
}

TopView typed(TopView view, TopKey key) {
  switch (key.kind) {
    case Kind::kText:
      if (view.filter.size() < 64) view.filter += key.text;
      break;
    case Kind::kBackspace:
      if (view.filter.empty())
        view.typing = false;
      else
        view.filter.pop_back();
      break;
    case Kind::kEnter:
      view.typing = false;
      break;
    case Kind::kEscape:
      view.typing = false;
      view.filter.clear();
      break;
    case Kind::kUp:
    case Kind::kDown:
    case Kind::kLeft:
    case Kind::kRight:
    case Kind::kPageUp:
    case Kind::kPageDown:
    case Kind::kHome:
    case Kind::kEnd:
    case Kind::kOther:
      break;
  }
  return view;
}

TopView at_page(TopView view, TopPage page) {
  view.page = page;
  view.scroll = 0;
  return view;
}

TopView back(TopView view) {
  switch (view.page) {
    case TopPage::kPeers:
      if (view.filter.empty())
        view.quit = true;
      else
        view.filter.clear();
      return view;
    case TopPage::kPeer:
      return at_page(view, view.behind_peer);
    case TopPage::kAlarms:
      return at_page(view, TopPage::kPeers);
    case TopPage::kHelp:
      return at_page(view, view.behind_help);
  }
  return view;
}

TopView sorted_by_next(TopView view, int by) {
  const auto next = (static_cast<int>(view.order) + by + static_cast<int>(kTopOrders)) %
                    static_cast<int>(kTopOrders);
  view.order = static_cast<TopOrder>(next);
  view.reverse = false;
  return view;
}

// Keys of the list only.
TopView in_list(TopView view, TopKey key, const TopExtent& extent) {
  const auto by = distance(key, extent.rows, extent.names.size());
  if (by != 0) {
    if (!extent.names.empty())
      view.selected = extent.names[moved(index_of(view, extent), by, extent.names.size())];
    return view;
  }
  if (key.kind == Kind::kLeft || (key.kind == Kind::kText && key.text == '<'))
    return sorted_by_next(view, -1);
  if (key.kind == Kind::kRight || (key.kind == Kind::kText && key.text == '>'))
    return sorted_by_next(view, 1);
  if (key.kind == Kind::kEnter && !extent.names.empty()) {
    view.selected = extent.names[index_of(view, extent)];
    view.behind_peer = TopPage::kPeers;
    return at_page(view, TopPage::kPeer);
  }
  if (key.kind != Kind::kText) return view;
  if (key.text == '/') view.typing = true;
  if (key.text == 'r') view.reverse = !view.reverse;
  if (key.text == 'w') {
    view.order = TopOrder::kWorst;
    view.reverse = false;
    view.selected.clear();
  }
  return view;
}

}  // namespace

std::string_view to_string(TopOrder order) {
  static constexpr std::array<std::string_view, kTopOrders> kWords{
      "worst first", "peer",         "verdict",  "rx cover", "tx cover",
      "rx pkt/s",    "tx pkt/s",     "rx bit/s", "tx bit/s", "unprotected",
      "dropped",     "kernel drops", "mode",     "sa",       "alarms"};
  return kWords[static_cast<std::size_t>(order)];
}

TopView step(TopView view, TopKey key, const TopExtent& extent) {
  if (view.typing) return typed(std::move(view), key);
  if (key.kind == Kind::kEscape || key.kind == Kind::kBackspace ||
      (key.kind == Kind::kLeft && view.page != TopPage::kPeers))
    return key.kind == Kind::kBackspace && view.page == TopPage::kPeers ? view
                                                                        : back(std::move(view));
  if (key.kind == Kind::kText) {
    if (key.text == 'q') {
      view.quit = true;
      return view;
    }
    if (key.text == 'p') {
      view.paused = !view.paused;
      return view;
    }
    if ((key.text == '?' || key.text == 'h') && view.page != TopPage::kHelp) {
      view.behind_help = view.page;
      return at_page(std::move(view), TopPage::kHelp);
    }
    if (key.text == 'a' && view.page != TopPage::kAlarms)
      return at_page(std::move(view), TopPage::kAlarms);
  }
  if (view.page == TopPage::kPeers) return in_list(std::move(view), key, extent);
  const auto by = distance(key, extent.rows, extent.lines);
  const auto stops = extent.lines > extent.rows ? extent.lines - extent.rows + 1 : 1;
  if (by != 0) view.scroll = moved(view.scroll, by, stops);
  return view;
}

}  // namespace espial
