// SPDX-License-Identifier: Apache-2.0
#include "sources/saved_topology.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "base/unique_fd.h"
#include "model/learn.h"

namespace espial {
namespace {

using Json = nlohmann::json;

constexpr int kSchemaVersion = 1;
constexpr std::size_t kMaxFileSize = std::size_t{64} << 20;
constexpr Origin kOrigins[] = {Origin::kFile,  Origin::kOpensvc, Origin::kPolicy, Origin::kState,
                               Origin::kRoute, Origin::kAddress, Origin::kSaved};

Json origins_json(const Origins& from) {
  Json labels = Json::array();
  for (const auto label : from.labels()) labels.push_back(label);
  return labels;
}

Json underlays_json(const std::vector<Underlay>& underlays) {
  Json list = Json::array();
  for (const auto& underlay : underlays)
    list.push_back({{"address", underlay.address.text()}, {"from", origins_json(underlay.from)}});
  return list;
}

Json backends_json(const std::vector<BackendSubnet>& backends) {
  Json list = Json::array();
  for (const auto& backend : backends)
    list.push_back({{"prefix", backend.prefix.text()},
                    {"network", backend.network},
                    {"from", origins_json(backend.from)}});
  return list;
}

// The readers below throw; topology_from_json() turns that into an Error.
Origins read_origins(const Json& labels) {
  Origins from;
  for (const auto& label : labels)
    for (const Origin origin : kOrigins)
      if (Origins(origin).labels().front() == label.get<std::string>()) from.add(origin);
  return from;
}

std::vector<Underlay> read_underlays(const Json& list) {
  std::vector<Underlay> underlays;
  for (const auto& item : list) {
    const auto text = item.at("address").get<std::string>();
    const auto address = IpAddress::parse(text);
    if (!address) throw std::runtime_error("'" + text + "' is no address");
    underlays.push_back({*address, read_origins(item.at("from"))});
  }
  return underlays;
}

std::vector<BackendSubnet> read_backends(const Json& list) {
  std::vector<BackendSubnet> backends;
  for (const auto& item : list) {
    const auto text = item.at("prefix").get<std::string>();
    const auto prefix = Prefix::parse(text);
    if (!prefix) throw std::runtime_error("'" + text + "' is no prefix");
    backends.push_back(
        {*prefix, item.at("network").get<std::string>(), read_origins(item.at("from"))});
  }
  return backends;
}

PeerState read_state(const std::string& text) {
  for (const auto state : {PeerState::kCandidate, PeerState::kLearnt, PeerState::kConfigured})
    if (to_string(state) == text) return state;
  throw std::runtime_error("'" + text + "' is no peer state");
}

Peer read_peer(const Json& item) {
  Peer peer;
  peer.name = item.at("name").get<std::string>();
  peer.state = read_state(item.at("state").get<std::string>());
  peer.from = read_origins(item.at("from"));
  peer.underlays = read_underlays(item.at("underlays"));
  peer.backends = read_backends(item.at("backends"));
  return peer;
}

Topology read_topology(const Json& json) {
  const int version = json.at("schema_version").get<int>();
  if (version != kSchemaVersion)
    throw std::runtime_error("schema_version " + std::to_string(version) + ", this espial reads " +
                             std::to_string(kSchemaVersion));
  Topology topology;
  topology.node = json.at("node").get<std::string>();
  topology.self_underlays = read_underlays(json.at("self_underlays"));
  topology.self_backends = read_backends(json.at("self_backends"));
  for (const auto& item : json.at("peers")) topology.peers.push_back(read_peer(item));
  return topology;
}

Error failed(const std::string& path, const char* operation, int code) {
  return Error{path + ": " + operation + ": " + std::strerror(code), Failure::kUnable};
}

// The whole file; nothing when there is none.
Result<std::optional<std::string>> read_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid() && errno == ENOENT) return std::optional<std::string>();
  if (!fd.valid()) return failed(path, "open", errno);
  std::string text;
  char chunk[16384];
  for (;;) {
    const auto got = ::read(fd.get(), chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path, "read", errno);
    if (got == 0) return std::optional(std::move(text));
    text.append(chunk, static_cast<std::size_t>(got));
    if (text.size() > kMaxFileSize) return failed(path, "read", EFBIG);
  }
}

Status write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const auto done = ::write(fd, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return failed(path, "write", errno);
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  if (::fsync(fd) != 0) return failed(path, "fsync", errno);
  return Ok{};
}

// A name of its own per call: two writers do not share a half-written file.
Status replace_file(const std::string& folder, const std::string& path, std::string_view text) {
  std::string temporary = path + ".XXXXXX";
  const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));  // 0600
  if (!fd.valid()) return failed(path, "create a temporary file beside it", errno);
  auto status = write_all(fd.get(), text, temporary);
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0)
    status = failed(path, "rename", errno);
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  const UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || ::fsync(directory.get()) != 0) return failed(folder, "fsync", errno);
  return Ok{};
}

}  // namespace

std::string topology_to_json(const Topology& topology) {
  Json peers = Json::array();
  for (const auto& peer : topology.peers)
    peers.push_back({{"name", peer.name},
                     {"state", to_string(peer.state)},
                     {"from", origins_json(peer.from)},
                     {"underlays", underlays_json(peer.underlays)},
                     {"backends", backends_json(peer.backends)}});
  const Json json{{"schema_version", kSchemaVersion},
                  {"node", topology.node},
                  {"self_underlays", underlays_json(topology.self_underlays)},
                  {"self_backends", backends_json(topology.self_backends)},
                  {"peers", std::move(peers)}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Topology> topology_from_json(std::string_view text) {
  try {
    return read_topology(Json::parse(text));
  } catch (const std::exception& cause) {
    return Error{std::string("saved topology: ") + cause.what(), Failure::kUnable};
  }
}

SavedTopology::SavedTopology(const std::string& state_dir)
    : folder_(state_dir), path_(state_dir + "/topology.json") {}

Result<Topology> SavedTopology::load() const {
  EP_ASSIGN(text, read_file(path_));
  if (!text) return Topology{};
  auto topology = topology_from_json(*text);
  if (topology.ok()) return topology;
  const std::string aside = path_ + ".corrupt";
  auto error = std::move(topology).error().wrap(path_);
  error.message += ::rename(path_.c_str(), aside.c_str()) == 0
                       ? " (kept aside as " + aside + ")"
                       : std::string(" (could not be kept aside: ") + std::strerror(errno) + ")";
  return error;
}

Status SavedTopology::save(const Topology& topology) const {
  std::error_code code;
  if (std::filesystem::create_directories(folder_, code) && !code)
    std::filesystem::permissions(folder_, std::filesystem::perms::owner_all, code);
  if (code) return failed(folder_, "create", code.value());
  return replace_file(folder_, path_, topology_to_json(topology));
}

Result<bool> SavedTopology::forget(std::string_view peer) const {
  EP_ASSIGN(topology, load());
  if (!forget_peer(topology, peer)) return false;
  EP_TRY(save(topology));
  return true;
}

}  // namespace espial
