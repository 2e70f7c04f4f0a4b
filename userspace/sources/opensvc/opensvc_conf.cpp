// SPDX-License-Identifier: Apache-2.0
#include "sources/opensvc/opensvc_conf.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/printable.h"
#include "base/private_buffer.h"
#include "base/system_error.h"
#include "base/unique_fd.h"
#include "sources/opensvc/ini_text.h"

namespace espial {
namespace {

constexpr int kMaxReferenceDepth = 8;           // of references to references
constexpr std::size_t kMaxExpanded = 64 << 10;  // bytes of a value with its references
constexpr int kMaxReferences = 256;             // that one value may follow, all levels together

bool reference_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_#:.-").find(c) != std::string_view::npos;
}

// What a reference may show: nothing of [cluster] but its name and nodes.
bool may_show(std::string_view section, std::string_view key, std::string_view own) {
  if (section == "cluster") return key == "name" || key == "nodes";
  return section == "DEFAULT" || section == "env" || section == "labels" || section == own;
}

// The values of the file as one node sees them.
class Evaluator {
 public:
  Evaluator(const IniText& ini, OpensvcFacts& facts) : ini_(ini), facts_(facts) {}

  // scopable: the keyword may be set per node; others ignore key@NODE, as the agent does.
  std::string get(std::string_view section, std::string_view key, const std::string& node,
                  bool scopable) {
    followed_ = 0;
    for (const auto place : {section, std::string_view("DEFAULT")})
      if (const auto value = scoped(place, key, node, scopable))
        return expanded(*value, section, node, 0);
    return {};
  }

 private:
  std::optional<std::string> scoped(std::string_view section, std::string_view key,
                                    const std::string& node, bool scopable) const {
    if (scopable) {
      const std::string name(key);
      if (auto value = ini_.value(section, name + "@" + node)) return value;
      if (facts_.has_node(node))
        if (auto value = ini_.value(section, name + "@nodes")) return value;
    }
    return ini_.value(section, key);
  }

  std::string expanded(const std::string& text, std::string_view section, const std::string& node,
                       int depth) {
    if (text.find('{') == std::string::npos) return text;
    std::string out;
    for (std::size_t i = 0; i < text.size() && out.size() < kMaxExpanded;) {
      const auto end = text[i] == '{' ? text.find('}', i) : std::string::npos;
      const auto name = end == std::string::npos
                            ? std::string_view()
                            : std::string_view(text).substr(i + 1, end - i - 1);
      if (name.empty() || !std::all_of(name.begin(), name.end(), reference_character)) {
        out += text[i++];
        continue;
      }
      if (const auto value = dereferenced(name, section, node, depth)) {
        out += *value;
      } else {
        add_problem(facts_, "section " + in_quotes(section) + ": reference {" + std::string(name) +
                                "} was not followed");
        out.append("{").append(name).append("}");
      }
      i = end + 1;
    }
    return out;
  }

  std::optional<std::string> dereferenced(std::string_view name, std::string_view section,
                                          const std::string& node, int depth) {
    if (depth == kMaxReferenceDepth || ++followed_ > kMaxReferences) return std::nullopt;
    if (name == "nodename") return node;
    if (name == "short_nodename") return node.substr(0, node.find('.'));
    if (name == "rid") return std::string(section);
    if (name == "rindex") return std::string(section.substr(section.find('#') + 1));
    if (name == "clustername") name = "cluster.name";
    if (name == "clusternodes") name = "cluster.nodes";
    const auto dot = name.rfind('.');
    const bool plain = dot == std::string_view::npos;
    const auto key = plain ? name : name.substr(dot + 1);
    // A name without a section is one of [DEFAULT], else of the section that refers.
    const auto place = plain ? std::string_view("DEFAULT") : name.substr(0, dot);
    for (const auto where : {place, plain ? section : place}) {
      if (!may_show(where, key, section)) continue;
      if (const auto value = scoped(where, key, node, plain && where == section))
        return expanded(*value, where, node, depth + 1);
    }
    return std::nullopt;
  }

  const IniText& ini_;
  OpensvcFacts& facts_;
  int followed_ = 0;
};

OpensvcNetworkText network_text(Evaluator& evaluator, std::string_view section,
                                const OpensvcFacts& facts) {
  const auto get = [&](std::string_view key) { return evaluator.get(section, key, {}, false); };
  OpensvcNetworkText text;
  text.name = section.substr(section.find('#') + 1);
  text.network = get("network");
  text.tunnel = get("tunnel");
  text.tunnel_mode = get("tunnel_mode");
  text.dev = get("dev");
  text.ips_per_node = get("ips_per_node");
  text.mask_per_node = get("mask_per_node");
  for (const auto& node : facts.nodes)
    text.members.push_back({node, evaluator.get(section, "subnet", node, true),
                            evaluator.get(section, "addr", node, true)});
  return text;
}

Error unreadable_conf(const std::string& path, const char* operation, int code) {
  const bool forbidden = code == EACCES || code == EPERM;
  return system_error(path, operation, code, forbidden ? " (run as root)" : "");
}

}  // namespace

Result<OpensvcFacts> parse_cluster_conf(std::string_view text) {
  const IniText ini(text);
  if (!ini.bad_lines().empty())
    return Error{"line " + std::to_string(ini.bad_lines().front()) +
                 " is neither a section, a key nor a comment (the agent refuses it, too)"};
  OpensvcFacts facts;
  Evaluator evaluator(ini, facts);
  facts.nodes = node_list(evaluator.get("cluster", "nodes", {}, false), facts);
  // The agent takes a file without nodes for a cluster of one; for us it would mean that all others
  // have left, which a half-written file must not say.
  if (facts.nodes.empty()) return Error{"cluster.nodes is empty or missing"};
  for (const auto section : ini.sections()) {
    if (section.substr(0, 8) != "network#" || section.size() == 8) continue;
    if (evaluator.get(section, "type", {}, false) != "routed_bridge") continue;
    const auto network = network_text(evaluator, section, facts);
    // This is how an operator switches a network off.
    if (network.network != "none" && network.network != "None") add_network(network, facts);
  }
  facts.state = OpensvcState::kReadable;
  return facts;
}

Result<OpensvcFacts> read_cluster_conf(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return unreadable_conf(path, "open", errno);
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return unreadable_conf(path, "read", errno);
  if (!S_ISREG(info.st_mode)) return Error{printable(path) + ": read: not a regular file"};
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size > kMaxClusterConf)
    return Error{printable(path) + ": read: larger than " + std::to_string(kMaxClusterConf) +
                 " bytes"};
  const PrivateBuffer buffer(size);
  std::size_t length = 0;
  while (length < size) {
    const auto got = ::read(fd.get(), buffer.data() + length, size - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unreadable_conf(path, "read", errno);
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  auto facts = parse_cluster_conf(buffer.text(length));
  if (!facts.ok()) return std::move(facts).error().wrap(printable(path));
  facts->source = path;
  return facts;
}

}  // namespace espial
