// SPDX-License-Identifier: Apache-2.0
// TopView: what `espial top` shows of the status document, and what each key makes of that.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace espial {

enum class TopPage : std::uint8_t { kPeers, kPeer, kAlarms, kHelp };

// What the list is sorted by: an own order of what is worst, or a column.
enum class TopOrder : std::uint8_t {
  kWorst,
  kName,
  kVerdict,
  kReceiveCoverage,
  kTransmitCoverage,
  kReceivePackets,
  kTransmitPackets,
  kReceiveBits,
  kTransmitBits,
  kUnprotected,
  kDropped,
  kKernelDrops,
  kMode,
  kSas,
  kAlarms,
};
inline constexpr std::size_t kTopOrders = 15;
// "worst first", "peer", "rx cover"
std::string_view to_string(TopOrder order);

struct TopView {
  TopPage page = TopPage::kPeers;
  TopPage behind_help = TopPage::kPeers;
  TopPage behind_peer = TopPage::kPeers;
  TopOrder order = TopOrder::kWorst;
  bool reverse = false;
  std::string filter;  // part of a name or verdict
  bool typing = false;
  std::string selected;    // a peer's name; empty: the first, whichever that is
  std::size_t scroll = 0;  // lines, of the other pages
  bool paused = false;
  bool quit = false;
  unsigned width = 80;
  unsigned height = 24;
};

// A key as terminals name it.
struct TopKey {
  enum class Kind : std::uint8_t {
    kText,  // a printable ASCII character
    kUp,
    kDown,
    kLeft,
    kRight,
    kPageUp,
    kPageDown,
    kHome,
    kEnd,
    kEnter,
    kEscape,
    kBackspace,
    kOther,
  };
  Kind kind = Kind::kOther;
  char text = 0;
};

// What is on the screen while a key is pressed.
struct TopExtent {
  std::vector<std::string> names;  // of the peers listed, in their order
  std::size_t rows = 1;            // lines that a page has for its content
  std::size_t lines = 0;           // lines of content
};

// Pure: the next view. Keys that mean nothing here change nothing.
TopView step(TopView view, TopKey key, const TopExtent& extent);

}  // namespace espial
