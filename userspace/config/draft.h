// SPDX-License-Identifier: Apache-2.0
// Draft: a configuration as read, each value with its place, before the values are compared.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config_file.h"

namespace espial {

// The place of a value: the line (from 1) and the path of keys.
struct Place {
  int line = 0;
  std::string key;
};

template <typename T>
struct Located {
  T value;
  Place place;
};

// Takes over what was read; a value that was bad leaves the member as it is.
inline void locate(std::optional<Located<std::string>>& member, std::optional<std::string> value,
                   const Place& at) {
  if (value) member = Located<std::string>{std::move(*value), at};
}

struct DraftPeer {
  Place place;
  std::optional<Located<std::string>> name;
  std::vector<Located<IpAddress>> underlays;
  std::vector<Located<Prefix>> backends;
  std::optional<Mode> mode;
};

struct DraftNetwork {
  Place place;
  std::optional<Located<std::string>> name;
  std::vector<Located<Prefix>> prefixes;
  std::optional<Mode> unknown_node;
};

struct DraftExemption {
  Place place;
  std::optional<Located<Prefix>> prefix;
  std::optional<Located<std::uint8_t>> protocol;
  std::optional<Located<std::uint32_t>> port;
};

struct DraftReceiver {
  Place place;
  std::optional<Located<std::string>> url;
  std::optional<Place> basic_auth;
  std::optional<Located<std::string>> username;
  std::optional<Located<std::string>> password_file;
  std::optional<Place> tls;
  std::optional<Located<std::string>> ca_file;
  std::optional<Located<std::string>> cert_file;
  std::optional<Located<std::string>> key_file;
  std::optional<Located<std::string>> server_name;
};

struct DraftAlerts {
  std::vector<DraftReceiver> alertmanagers;
  std::vector<DraftReceiver> webhooks;
  std::vector<Located<std::vector<std::string>>> commands;
  std::vector<Located<std::pair<std::string, std::string>>> labels;
  std::optional<std::uint32_t> resend_seconds;
  std::optional<std::uint32_t> collapse_above;
};

struct Draft {
  Config scalars;  // only the members that are no lists
  std::optional<Located<std::string>> node;
  std::optional<Located<std::string>> pin_dir;
  std::optional<Located<std::string>> state_dir;
  std::optional<Located<std::string>> listen;
  std::optional<Located<std::string>> opensvc_conf;
  std::optional<Located<std::string>> opensvc_socket;
  std::optional<Place> max_peers;
  std::vector<DraftNetwork> networks;
  std::vector<Located<IpAddress>> self_underlays;
  std::vector<Located<Prefix>> self_backends;
  std::vector<DraftPeer> peers;
  std::vector<DraftExemption> exemptions;
  std::optional<Place> verify;
  bool verify_interval = false;  // is there one?
  std::vector<Located<IpAddress>> verify_pods;
  std::vector<Located<std::string>> include_devices;
  std::vector<Located<std::string>> exclude_devices;
  DraftAlerts alerts;
};

// Collects the problems of one file, at most kMaxConfigProblems and a count of the rest.
class Problems {
 public:
  explicit Problems(std::string_view file) : file_(file) {}
  void add(const Place& place, std::string message);
  [[nodiscard]] std::vector<ConfigProblem> take();  // by line

 private:
  std::string file_;
  std::vector<ConfigProblem> list_;
  std::size_t unlisted_ = 0;
};

// The file's text as a draft; wrong types, unknown and repeated keys and bad values are problems.
Draft read_draft(std::string_view text, Problems& problems);

// What only shows when values are compared: overlaps, duplicates, limits.
void check_draft(const Draft& draft, Problems& problems);

// The known name that `wrong` was probably meant to be; empty when none is near.
std::string nearest_name(std::string_view wrong, const std::vector<std::string_view>& known);

}  // namespace espial
