// SPDX-License-Identifier: Apache-2.0
// YamlReader: typed reading of yaml-cpp nodes that notes problems instead of throwing.
#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/draft.h"

namespace espial {

// One key of a map and what reads its value.
struct YamlField {
  std::string_view name;
  std::function<void(const YAML::Node&, const Place&)> read;
};

class YamlReader {
 public:
  explicit YamlReader(Problems& problems) : problems_(problems) {}

  // Calls the field of every key; unknown, repeated and non-text keys are problems. Null is empty.
  void map(const YAML::Node& node, const Place& at, std::initializer_list<YamlField> fields);
  // Calls read for every element. Null is empty.
  void list(const YAML::Node& node, const Place& at,
            const std::function<void(const YAML::Node&, const Place&)>& read);

  // A scalar's text; `what` says what was expected ("an address").
  std::optional<std::string> text(const YAML::Node& node, const Place& at, std::string_view what);
  std::optional<bool> boolean(const YAML::Node& node, const Place& at);
  std::optional<std::uint32_t> number(const YAML::Node& node, const Place& at, std::uint32_t low,
                                      std::uint32_t high);
  // A ratio above 0, at most 1: 0.999 or 99.9%.
  std::optional<double> ratio(const YAML::Node& node, const Place& at);
  std::optional<std::string> choice(const YAML::Node& node, const Place& at,
                                    std::initializer_list<std::string_view> choices);
  std::optional<std::string> name(const YAML::Node& node, const Place& at);
  std::optional<std::string> device(const YAML::Node& node, const Place& at);
  std::optional<std::string> instance(const YAML::Node& node, const Place& at);
  std::optional<std::string> path(const YAML::Node& node, const Place& at);
  // "off", which is 0, or a duration: "30s", "5m", "1h".
  std::optional<std::chrono::seconds> interval(const YAML::Node& node, const Place& at,
                                               std::chrono::seconds low, std::chrono::seconds high);
  // An IP protocol: a name or a number from 1.
  std::optional<std::uint8_t> protocol(const YAML::Node& node, const Place& at);
  // Any prefix without host bits, whoever's it is.
  std::optional<Located<Prefix>> prefix(const YAML::Node& node, const Place& at);
  // Addresses of hosts; `what` says of which kind ("an underlay address (...)").
  std::vector<Located<IpAddress>> hosts(const YAML::Node& node, const Place& at,
                                        std::string_view what);
  std::vector<Located<IpAddress>> underlays(const YAML::Node& node, const Place& at);
  std::vector<Located<Prefix>> prefixes(const YAML::Node& node, const Place& at);
  std::vector<Located<std::string>> devices(const YAML::Node& node, const Place& at);

  Problems& problems() { return problems_; }

 private:
  bool within_item_limit(const Place& at);

  Problems& problems_;
  std::size_t items_ = 0;
};

}  // namespace espial
