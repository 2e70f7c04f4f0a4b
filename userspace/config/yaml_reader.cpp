// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/printable.h"
#include "base/time_text.h"

namespace espial {
namespace {

constexpr unsigned kMappedBits = 96;
constexpr const char* kMapped = " is IPv4 in IPv6 notation, which no packet carries (write ";

std::string_view kind_of(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Undefined:
    case YAML::NodeType::Null:
      return "nothing";
    case YAML::NodeType::Scalar:
      return "a single value";
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Map:
      return "a map";
  }
  return "nothing";
}

std::string expected(std::string_view what, const YAML::Node& node) {
  return std::string("expected ").append(what).append(", found ").append(kind_of(node));
}

std::string joined(const std::vector<std::string_view>& names) {
  std::string out;
  for (const auto name : names) out.append(out.empty() ? "" : ", ").append(name);
  return out;
}

std::string child_key(const Place& at, std::string_view name) {
  return at.key.empty() ? std::string(name) : at.key + "." + std::string(name);
}

bool printable_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && text.front() != ' ' && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

// As net/core/dev.c dev_valid_name() wants it.
bool device_name(std::string_view text) {
  return !text.empty() && text.size() <= 15 && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c > 0x20 && c < 0x7f && c != '/' && c != ':'; });
}

bool instance_name(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  });
}

}  // namespace

void YamlReader::map(const YAML::Node& node, const Place& at,
                     std::initializer_list<YamlField> fields) {
  if (!node.IsDefined() || node.IsNull()) return;
  std::vector<std::string_view> names;
  for (const auto& field : fields) names.push_back(field.name);
  if (!node.IsMap()) {
    problems_.add(at, expected("a map of keys (" + joined(names) + ")", node));
    return;
  }
  std::vector<int> first_line(fields.size(), 0);
  for (const auto& pair : node) {
    const int line = pair.first.Mark().line + 1;
    if (!pair.first.IsScalar()) {
      problems_.add({line, at.key}, "a key must be text (one of " + joined(names) + ")");
      continue;
    }
    const auto& key = pair.first.Scalar();
    const Place place{line, child_key(at, printable(key.substr(0, 80)))};
    const auto index =
        static_cast<std::size_t>(std::find(names.begin(), names.end(), key) - names.begin());
    if (index == names.size()) {
      const auto near = nearest_name(key, names);
      problems_.add(place, near.empty() ? "unknown key (known here: " + joined(names) + ")"
                                        : "unknown key (did you mean " + in_quotes(near) + "?)");
    } else if (first_line[index] != 0) {
      problems_.add(place, "key given twice, first on line " + std::to_string(first_line[index]) +
                               " (keep one)");
    } else {
      first_line[index] = line;
      (fields.begin() + index)->read(pair.second, place);
    }
  }
}

void YamlReader::list(const YAML::Node& node, const Place& at,
                      const std::function<void(const YAML::Node&, const Place&)>& read) {
  if (!node.IsDefined() || node.IsNull()) return;
  if (!node.IsSequence()) {
    problems_.add(at, expected("a list", node) + " (write [a, b] or one \"- a\" per line)");
    return;
  }
  std::size_t index = 0;
  for (const auto& element : node) {
    // The mark of an empty element is that of whatever follows it.
    const int line = element.IsNull() ? at.line : element.Mark().line + 1;
    read(element, {line, at.key + "[" + std::to_string(index++) + "]"});
  }
}

std::optional<std::string> YamlReader::text(const YAML::Node& node, const Place& at,
                                            std::string_view what) {
  if (node.IsScalar()) return node.Scalar();
  problems_.add(at, expected(what, node));
  return std::nullopt;
}

std::optional<bool> YamlReader::boolean(const YAML::Node& node, const Place& at) {
  const auto value = choice(node, at, {"true", "false"});
  if (!value) return std::nullopt;
  return *value == "true";
}

std::optional<std::uint32_t> YamlReader::number(const YAML::Node& node, const Place& at,
                                                std::uint32_t low, std::uint32_t high) {
  const auto scalar = text(node, at, "a number");
  if (!scalar) return std::nullopt;
  std::uint32_t value = 0;
  const auto* end = scalar->data() + scalar->size();
  const auto [stop, error] = std::from_chars(scalar->data(), end, value);
  if (error == std::errc() && stop == end && value >= low && value <= high) return value;
  problems_.add(at, in_quotes(*scalar) + " is not a whole number from " + std::to_string(low) +
                        " to " + std::to_string(high));
  return std::nullopt;
}

std::optional<double> YamlReader::ratio(const YAML::Node& node, const Place& at) {
  const auto scalar = text(node, at, "a ratio");
  if (!scalar) return std::nullopt;
  std::string_view digits = *scalar;
  const bool percent = digits.ends_with('%');
  if (percent) digits.remove_suffix(1);
  while (digits.ends_with(' ')) digits.remove_suffix(1);
  double value = 0;
  const auto* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value, std::chars_format::fixed);
  // 99.9% is the same number as 0.999.
  if (percent) value = std::round(value * 1e7) / 1e9;
  // Written so that what is no number is refused, too.
  if (error == std::errc() && stop == end && value > 0 && value <= 1) return value;
  problems_.add(at, in_quotes(*scalar) + " is not a ratio (write 0.999 or 99.9%)");
  return std::nullopt;
}

std::optional<std::chrono::seconds> YamlReader::interval(const YAML::Node& node, const Place& at,
                                                         std::chrono::seconds low,
                                                         std::chrono::seconds high) {
  const auto scalar = text(node, at, "a duration or off");
  if (!scalar) return std::nullopt;
  if (*scalar == "off") return std::chrono::seconds{0};
  auto duration = parse_duration(*scalar, low, high);
  if (!duration)
    problems_.add(at, in_quotes(*scalar) + " is not a duration from " + duration_text(low) +
                          " to " + duration_text(high) + " (write 30s, 5m or 1h, or off)");
  return duration;
}

std::optional<std::string> YamlReader::choice(const YAML::Node& node, const Place& at,
                                              std::initializer_list<std::string_view> choices) {
  const auto listed = joined(choices);
  auto value = text(node, at, "one of " + listed);
  if (!value || std::find(choices.begin(), choices.end(), *value) != choices.end()) return value;
  problems_.add(at, in_quotes(*value) + " is not one of " + listed);
  return std::nullopt;
}

std::optional<std::string> YamlReader::name(const YAML::Node& node, const Place& at) {
  auto value = text(node, at, "a name");
  if (!value || printable_name(*value)) return value;
  problems_.add(at, in_quotes(*value) + " is not a name (1 to 63 printable ASCII characters)");
  return std::nullopt;
}

std::optional<std::string> YamlReader::device(const YAML::Node& node, const Place& at) {
  auto value = text(node, at, "a device name");
  if (!value || device_name(*value)) return value;
  problems_.add(at,
                in_quotes(*value) + " is not a device name (1 to 15 characters, no space, / or :)");
  return std::nullopt;
}

std::optional<std::string> YamlReader::instance(const YAML::Node& node, const Place& at) {
  auto value = text(node, at, "a name");
  if (!value || instance_name(*value)) return value;
  problems_.add(at, in_quotes(*value) + " is not an instance name (1 to 32 of a-z 0-9 _ . -)");
  return std::nullopt;
}

std::optional<std::string> YamlReader::path(const YAML::Node& node, const Place& at) {
  auto value = text(node, at, "a path");
  if (!value) return std::nullopt;
  const bool plain = std::all_of(value->begin(), value->end(),
                                 [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
  if (plain && value->size() > 1 && value->front() == '/') return value;
  problems_.add(at, in_quotes(*value) + " is not an absolute path (start it with /)");
  return std::nullopt;
}

std::optional<std::uint8_t> YamlReader::protocol(const YAML::Node& node, const Place& at) {
  const auto value = text(node, at, "a protocol");
  if (!value) return std::nullopt;
  for (const auto& [name, number] : kProtocolNames)
    if (*value == name) return number;
  std::uint8_t number = 0;
  const auto* end = value->data() + value->size();
  const auto [stop, error] = std::from_chars(value->data(), end, number);
  if (error == std::errc() && stop == end && number != 0) return number;
  problems_.add(at, in_quotes(*value) +
                        " is not a protocol (tcp, udp, icmp, icmpv6 or a number from 1 to 255)");
  return std::nullopt;
}

bool YamlReader::within_item_limit(const Place& at) {
  if (++items_ == kMaxConfigItems + 1)
    problems_.add(at, "more than " + std::to_string(kMaxConfigItems) +
                          " addresses and prefixes (reading stopped here)");
  return items_ <= kMaxConfigItems;
}

std::vector<Located<IpAddress>> YamlReader::underlays(const YAML::Node& node, const Place& at) {
  return hosts(node, at, "an underlay address (use the address that ESP is sent to)");
}

std::vector<Located<IpAddress>> YamlReader::hosts(const YAML::Node& node, const Place& at,
                                                  std::string_view what) {
  std::vector<Located<IpAddress>> out;
  list(node, at, [&](const YAML::Node& element, const Place& place) {
    if (!within_item_limit(place)) return;
    const auto value = text(element, place, "an address");
    if (!value) return;
    const auto address =
        value->find('\0') == std::string::npos ? IpAddress::parse(*value) : std::nullopt;
    if (!address) {
      problems_.add(place, in_quotes(*value) + " is not an IPv4 or IPv6 address");
    } else if (const auto mapped = address->mapped_ipv4()) {
      problems_.add(place, in_quotes(*value) + kMapped + mapped->text() + ")");
    } else if (address->unspecified() || address->multicast() || address->loopback()) {
      problems_.add(place, in_quotes(*value) + " cannot be " + std::string(what));
    } else {
      out.push_back({*address, place});
    }
  });
  return out;
}

std::optional<Located<Prefix>> YamlReader::prefix(const YAML::Node& node, const Place& at) {
  const auto value = text(node, at, "a prefix");
  if (!value) return std::nullopt;
  const bool plain = value->find('\0') == std::string::npos;
  if (const auto prefix = plain ? Prefix::parse(*value) : std::nullopt) {
    const auto mapped = prefix->address().mapped_ipv4();
    if (!mapped || prefix->length() < kMappedBits) return Located<Prefix>{*prefix, at};
    problems_.add(at, in_quotes(*value) + kMapped +
                          Prefix(*mapped, prefix->length() - kMappedBits).text() + ")");
    return std::nullopt;
  }
  if (const auto masked = plain ? Prefix::parse(*value, true) : std::nullopt)
    problems_.add(at, in_quotes(*value) + " has host bits set (write " + masked->text() + ")");
  else
    problems_.add(at, in_quotes(*value) +
                          " is not a prefix (write ADDRESS/LENGTH, for example 10.101.2.0/24)");
  return std::nullopt;
}

std::vector<Located<Prefix>> YamlReader::prefixes(const YAML::Node& node, const Place& at) {
  std::vector<Located<Prefix>> out;
  list(node, at, [&](const YAML::Node& element, const Place& place) {
    if (!within_item_limit(place)) return;
    const auto found = prefix(element, place);
    if (!found) return;
    const auto& address = found->value.address();
    if (address.multicast() || address.loopback())
      problems_.add(place, in_quotes(element.Scalar()) + " cannot be a backend subnet");
    else
      out.push_back(*found);
  });
  return out;
}

std::vector<Located<std::string>> YamlReader::devices(const YAML::Node& node, const Place& at) {
  std::vector<Located<std::string>> out;
  list(node, at, [&](const YAML::Node& element, const Place& place) {
    if (!within_item_limit(place)) return;
    if (auto value = device(element, place)) out.push_back({std::move(*value), place});
  });
  return out;
}

}  // namespace espial
