// SPDX-License-Identifier: Apache-2.0
#include "sources/vici/vici_message.h"

#include <algorithm>

namespace espial {
namespace {

enum Element : std::uint8_t {
  kSectionStart = 1,
  kSectionEnd = 2,
  kKeyValue = 3,
  kListStart = 4,
  kListItem = 5,
  kListEnd = 6,
};

Error bad(std::string_view what) { return Error{"VICI message: " + std::string(what)}; }

// Takes pieces off the front of a message.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : left_(bytes) {}

  [[nodiscard]] bool at_end() const { return left_.empty(); }
  // The type of the next element; only if not at_end().
  std::uint8_t type() {
    const auto byte = static_cast<std::uint8_t>(left_.front());
    left_.remove_prefix(1);
    return byte;
  }
  // A piece with a big-endian length of `width` bytes before it; false: it is cut off.
  bool take(std::size_t width, std::string& piece) {
    if (left_.size() < width) return false;
    std::size_t length = 0;
    for (std::size_t i = 0; i < width; ++i)
      length = length << 8 | static_cast<std::uint8_t>(left_[i]);
    if (left_.size() - width < length) return false;
    piece.assign(left_.substr(width, length));
    left_.remove_prefix(width + length);
    return true;
  }

 private:
  std::string_view left_;
};

// Builds the tree. open_ is the path to the section that is being filled; its pointers stay valid,
// since only the last one's vectors grow while it is open.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : cursor_(bytes) {}

  Result<ViciSection> run() {
    open_.push_back(&root_);
    for (std::size_t count = 0; !cursor_.at_end(); ++count) {
      if (count == kMaxViciElements)
        return bad("more than " + std::to_string(kMaxViciElements) + " elements");
      EP_TRY(element(cursor_.type()));
    }
    if (in_list_) return bad("a list is not closed");
    if (open_.size() != 1) return bad("a section is not closed");
    return std::move(root_);
  }

 private:
  Status element(std::uint8_t type) {
    if (in_list_ != (type == kListItem || type == kListEnd))
      return bad(in_list_ ? "a list holds something else than items" : "an item outside a list");
    std::string name;
    std::string value;
    const bool named = type == kSectionStart || type == kKeyValue || type == kListStart;
    const bool valued = type == kKeyValue || type == kListItem;
    if ((named && !cursor_.take(1, name)) || (valued && !cursor_.take(2, value)))
      return bad("it ends inside an element");
    auto& section = *open_.back();
    switch (type) {
      case kSectionStart:
        if (open_.size() > kMaxViciDepth)
          return bad("more than " + std::to_string(kMaxViciDepth) + " sections deep");
        section.sections.push_back({std::move(name), {}});
        open_.push_back(&section.sections.back().section);
        return Ok{};
      case kSectionEnd:
        if (open_.size() == 1) return bad("a section ends that did not begin");
        open_.pop_back();
        return Ok{};
      case kKeyValue:
        section.values.emplace_back(std::move(name), std::move(value));
        return Ok{};
      case kListStart:
        section.lists.emplace_back(std::move(name), std::vector<std::string>{});
        in_list_ = true;
        return Ok{};
      case kListItem:
        section.lists.back().second.push_back(std::move(value));
        return Ok{};
      case kListEnd:
        in_list_ = false;
        return Ok{};
      default:  // a byte of the wire, not an enum
        return bad("element type " + std::to_string(type) + " is unknown");
    }
  }

  Cursor cursor_;
  ViciSection root_;
  std::vector<ViciSection*> open_;
  bool in_list_ = false;
};

void put(std::string& out, std::size_t width, std::string_view piece) {
  piece = piece.substr(0, (std::size_t{1} << (8 * width)) - 1);
  for (std::size_t i = width; i-- > 0;) out += static_cast<char>(piece.size() >> (8 * i) & 0xff);
  out += piece;
}

void encode(const ViciSection& section, std::string& out) {
  for (const auto& [name, value] : section.values) {
    out += static_cast<char>(kKeyValue);
    put(out, 1, name);
    put(out, 2, value);
  }
  for (const auto& [name, items] : section.lists) {
    out += static_cast<char>(kListStart);
    put(out, 1, name);
    for (const auto& item : items) {
      out += static_cast<char>(kListItem);
      put(out, 2, item);
    }
    out += static_cast<char>(kListEnd);
  }
  for (const auto& [name, inner] : section.sections) {
    out += static_cast<char>(kSectionStart);
    put(out, 1, name);
    encode(inner, out);
    out += static_cast<char>(kSectionEnd);
  }
}

template <typename T>
const T* find(const std::vector<std::pair<std::string, T>>& pairs, std::string_view name) {
  const auto it =
      std::find_if(pairs.begin(), pairs.end(), [&](const auto& p) { return p.first == name; });
  return it == pairs.end() ? nullptr : &it->second;
}

bool has_name(ViciPacketType type) {
  switch (type) {
    case ViciPacketType::kRequest:
    case ViciPacketType::kRegister:
    case ViciPacketType::kUnregister:
    case ViciPacketType::kEvent:
      return true;
    case ViciPacketType::kResponse:
    case ViciPacketType::kUnknownCommand:
    case ViciPacketType::kConfirm:
    case ViciPacketType::kUnknownEvent:
      return false;
  }
  return false;
}

}  // namespace

std::string_view ViciSection::value(std::string_view name) const {
  const auto* found = find(values, name);
  return found ? std::string_view(*found) : std::string_view();
}

const std::vector<std::string>& ViciSection::list(std::string_view name) const {
  static const std::vector<std::string> kNone;
  const auto* found = find(lists, name);
  return found ? *found : kNone;
}

const ViciSection& ViciSection::section(std::string_view name) const {
  static const ViciSection kNone;
  const auto it = std::find_if(sections.begin(), sections.end(),
                               [&](const ViciNamedSection& s) { return s.name == name; });
  return it == sections.end() ? kNone : it->section;
}

bool ViciSection::operator==(const ViciSection& other) const {
  return values == other.values && lists == other.lists && sections == other.sections;
}

Result<ViciSection> decode_vici(std::string_view bytes) {
  if (bytes.size() > kMaxViciPacket) return bad("larger than 512 KiB");
  return Decoder(bytes).run();
}

std::string encode_vici(const ViciSection& message) {
  std::string out;
  encode(message, out);
  return out;
}

Result<ViciPacket> parse_vici_packet(std::string_view bytes) {
  if (bytes.empty()) return Error{"VICI packet: it is empty"};
  const auto type = static_cast<std::uint8_t>(bytes.front());
  if (type > static_cast<std::uint8_t>(ViciPacketType::kEvent))
    return Error{"VICI packet: type " + std::to_string(type) + " is unknown"};
  ViciPacket packet{static_cast<ViciPacketType>(type), {}, bytes.substr(1)};
  if (!has_name(packet.type)) return packet;
  const std::size_t length =
      packet.message.empty() ? 0 : static_cast<std::uint8_t>(packet.message.front());
  if (packet.message.size() < 1 + length) return Error{"VICI packet: it ends inside its name"};
  packet.name = packet.message.substr(1, length);
  packet.message.remove_prefix(1 + length);
  return packet;
}

std::string vici_packet(ViciPacketType type, std::string_view name, const ViciSection& message) {
  std::string body(1, static_cast<char>(type));
  if (has_name(type)) put(body, 1, name);
  encode(message, body);
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8)
    out += static_cast<char>(body.size() >> shift & 0xff);
  return out + body;
}

}  // namespace espial
