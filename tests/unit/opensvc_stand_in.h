// SPDX-License-Identifier: Apache-2.0
// A stand-in for om3's API: listens at a unix socket and lets a function answer each request, on a
// thread of its own; answers of a cluster in the shapes of om3.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace espial::test {

// One connection, its request read.
class Visitor {
 public:
  explicit Visitor(int fd) : fd_(fd) {}
  [[nodiscard]] std::string target() const {
    std::string text;
    for (char c = 0; text.find("\r\n\r\n") == std::string::npos && ::recv(fd_, &c, 1, 0) == 1;)
      text += c;
    return text.substr(0, 4) == "GET " ? text.substr(4, text.find(' ', 4) - 4) : std::string();
  }
  void say(const std::string& bytes) const {
    (void)!::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  void answer(const std::string& body, int status = 200) const {
    say("HTTP/1.1 " + std::to_string(status) +
        " x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  void wait_until_gone() const {
    for (char byte = 0; ::recv(fd_, &byte, 1, 0) > 0;) {
    }
  }

 private:
  int fd_;
};

class StandIn {
 public:
  using Answer = std::function<void(const Visitor&, const std::string& target)>;

  StandIn(const std::string& path, Answer answer) : answer_(std::move(answer)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    ::unlink(path.c_str());
    listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    listens_ =
        ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
        ::listen(listener_.get(), 16) == 0;
    thread_ = std::thread([this] { serve(); });
  }
  ~StandIn() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    drop_all();
    for (auto& one : threads_) one.join();
  }
  StandIn(const StandIn&) = delete;
  StandIn& operator=(const StandIn&) = delete;

  [[nodiscard]] bool listens() const { return listens_; }
  [[nodiscard]] std::vector<std::string> targets() {
    const std::scoped_lock lock(mutex_);
    return targets_;
  }
  // Ends every connection.
  void drop_all() {
    const std::scoped_lock lock(mutex_);
    for (const auto& one : connections_) ::shutdown(one.get(), SHUT_RDWR);
  }

 private:
  void serve() {
    for (;;) {
      UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd.valid()) return;
      const std::scoped_lock lock(mutex_);
      const int raw = fd.get();
      connections_.push_back(std::move(fd));
      threads_.emplace_back([this, raw] {
        const Visitor visitor(raw);
        const auto target = visitor.target();
        {
          const std::scoped_lock inner(mutex_);
          targets_.push_back(target);
        }
        if (!target.empty()) answer_(visitor, target);
        ::shutdown(raw, SHUT_RDWR);
      });
    }
  }

  Answer answer_;
  UniqueFd listener_;
  bool listens_ = false;
  std::mutex mutex_;
  std::list<UniqueFd> connections_;  // by mutex; closed at the end, so that no number is used twice
  std::vector<std::string> targets_;  // by mutex
  std::vector<std::thread> threads_;
  std::thread thread_;
};

// What a cluster of three says: keyword (and "@NODE") to JSON.
using Cluster = std::map<std::string, std::string>;

inline Cluster usual_cluster() {
  return {{"cluster.nodes", R"(["node1","node2","node3"])"},
          {"network#b.tunnel", R"("never")"},
          {"network#b.ips_per_node", "256"},
          {"network#b.subnet@node2", R"("10.101.9.0/24")"},
          {"network#b.addr@node1", R"("10.45.0.11")"},
          {"network#b.addr@node2", R"("10.45.0.12")"},
          {"network#b.addr@node3", R"("10.45.0.13")"}};
}

constexpr const char* kNetworks =
    R"({"kind":"NetworkList","new":{"a":[1]},"items":[{"name":"lo","type":"lo","network":"127.0.0.1/32",
"free":0,"used":1,"size":1,"errors":null},{"name":"b","type":"routed_bridge","network":
"10.101.0.0/16","free":18446744073709551616,"used":0,"size":340282366920938463463374607431768211456,
"errors":null}]})";

// Agents differ: the newer one knows no keyword for another reason (400) and has flat items.
enum class Om3 { kNewer, kOlder };

// An item, set or not: what is not set evaluates to its default, here to nothing.
inline std::string keyword_item(const std::string& keyword, const std::string& value, Om3 version) {
  if (version == Om3::kOlder)
    return R"({"kind":"KeywordItem","meta":{"keyword":")" + keyword +
           R"(","is_evaluated":true,"new":9007199254740993},"data":{"value":)" + value + "}}";
  return R"({"object":"cluster","keyword":")" + keyword +
         R"(","value":"{raw}","evaluated_as":"x","new":9007199254740993,"evaluated":)" + value +
         "}";
}

// Answers as om3 does; mask_per_node is a keyword that it has not, unless it is set.
inline void answer_as_om3(const Cluster& cluster, const Visitor& visitor, const std::string& target,
                          Om3 version = Om3::kNewer) {
  if (target == "/api/network") return visitor.answer(kNetworks);
  const auto node_at = target.find("&impersonate=");
  const auto node = node_at == std::string::npos ? "" : target.substr(node_at + 13);
  std::string items;
  for (auto at = target.find("&kw="); at != std::string::npos; at = target.find("&kw=", at + 1)) {
    auto keyword = target.substr(at + 4, target.find('&', at + 4) - at - 4);
    if (const auto hash = keyword.find("%23"); hash != std::string::npos)
      keyword.replace(hash, 3, "#");
    auto value = cluster.find(keyword + "@" + node);
    if (value == cluster.end()) value = cluster.find(keyword);
    if (value == cluster.end() && keyword.find("mask_per_node") != std::string::npos)
      return visitor.answer(
          R"({"detail":"keyword does not exist: )" + keyword + R"(","status":0,"title":"EvalAs"})",
          version == Om3::kNewer ? 400 : 500);
    items += (items.empty() ? "" : ",") +
             keyword_item(keyword, value == cluster.end() ? R"("")" : value->second, version);
  }
  visitor.answer(R"({"kind":"KeywordList","items":[)" + items + "]}");
}

}  // namespace espial::test
