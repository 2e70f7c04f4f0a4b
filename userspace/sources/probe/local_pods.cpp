// SPDX-License-Identifier: Apache-2.0
#include "sources/probe/local_pods.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

namespace espial {
namespace {

constexpr std::size_t kMaxNamespaces = 4096;
constexpr std::size_t kMaxConnected = 4096;

struct Namespace {
  std::string path;
  UniqueFd fd;
};

// Each once, by device and inode, without our own.
class Namespaces {
 public:
  Namespaces() {
    struct stat own = {};
    if (stat("/proc/thread-self/ns/net", &own) == 0) known_.insert({own.st_dev, own.st_ino});
    folder("/run/netns");
    folder("/run/docker/netns");
    processes();
  }

  [[nodiscard]] const std::vector<Namespace>& all() const { return all_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  void folder(const std::string& path) {
    std::error_code error;
    for (std::filesystem::directory_iterator it(path, error), end; !error && it != end;
         it.increment(error))
      add(it->path().string());
  }

  void processes() {
    std::error_code error;
    for (std::filesystem::directory_iterator it("/proc", error), end; !error && it != end;
         it.increment(error)) {
      const auto name = it->path().filename().string();
      if (std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }))
        add(it->path().string() + "/ns/net");
    }
  }

  void add(std::string path) {
    struct stat about = {};
    if (stat(path.c_str(), &about) != 0 || known_.count({about.st_dev, about.st_ino}) != 0) return;
    if (all_.size() >= kMaxNamespaces) {
      problem_ = "more than " + std::to_string(kMaxNamespaces) + " network namespaces";
      return;
    }
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return;  // has ended
    known_.insert({about.st_dev, about.st_ino});
    all_.push_back({std::move(path), std::move(fd)});
  }

  std::set<std::pair<dev_t, ino_t>> known_;
  std::vector<Namespace> all_;
  std::string problem_;
};

// Of the calling thread's namespace.
std::vector<IpAddress> addresses_within(const std::vector<Prefix>& subnets) {
  std::vector<IpAddress> out;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return out;
  for (const auto* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    std::optional<IpAddress> address;
    if (entry->ifa_addr->sa_family == AF_INET)
      address.emplace(Family::kIpv4,
                      &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr);
    else if (entry->ifa_addr->sa_family == AF_INET6)
      address.emplace(Family::kIpv6,
                      &reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr)->sin6_addr);
    if (address && std::any_of(subnets.begin(), subnets.end(),
                               [&](const Prefix& subnet) { return subnet.contains(*address); }))
      out.push_back(*address);
  }
  freeifaddrs(list);
  return out;
}

std::vector<IpAddress> connected_now() {
  std::vector<IpAddress> out;
  for (const auto& [path, family] : {std::pair("/proc/thread-self/net/tcp", Family::kIpv4),
                                     std::pair("/proc/thread-self/net/tcp6", Family::kIpv6)}) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    const auto some = parse_connected(text.str(), family);
    out.insert(out.end(), some.begin(), some.end());
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// Which of the subnets an address of the pods is in.
std::set<Prefix> covered(const std::vector<Prefix>& subnets,
                         const std::vector<IpAddress>& addresses) {
  std::set<Prefix> out;
  for (const auto& subnet : subnets)
    for (const auto& address : addresses)
      if (subnet.contains(address)) out.insert(subnet);
  return out;
}

// Runs in a thread of its own, which stays in the last namespace until it ends.
LocalPods look(const Namespaces& namespaces, const std::vector<Prefix>& subnets) {
  LocalPods out;
  out.problem = namespaces.problem();
  std::set<Prefix> served;
  for (const auto& one : namespaces.all()) {
    if (setns(one.fd.get(), CLONE_NEWNET) != 0) {
      if (errno != EPERM) continue;
      out.problem = "enter the network namespaces of pods: needs CAP_SYS_ADMIN";
      return out;
    }
    auto addresses = addresses_within(subnets);
    const auto serves = covered(subnets, addresses);
    if (std::includes(served.begin(), served.end(), serves.begin(), serves.end())) continue;
    auto sockets = EchoSockets::open();
    if (!sockets.ok()) {
      out.problem = one.path + ": " + sockets.error().message;
      continue;
    }
    served.insert(serves.begin(), serves.end());
    out.pods.push_back(
        {one.path, std::move(addresses), connected_now(), std::move(sockets).value()});
  }
  return out;
}

}  // namespace

std::vector<IpAddress> parse_connected(std::string_view text, Family family) {
  constexpr std::string_view kEstablished = "01";
  std::vector<IpAddress> out;
  std::istringstream lines{std::string(text)};
  std::string line;
  std::getline(lines, line);  // titles
  while (std::getline(lines, line) && out.size() < kMaxConnected) {
    std::istringstream words(line);
    std::string number, local, remote, state;
    if (!(words >> number >> local >> remote >> state) || state != kEstablished) continue;
    const std::string hex = remote.substr(0, remote.find(':'));
    const std::size_t size = family == Family::kIpv4 ? 4 : 16;
    if (hex.size() != size * 2) continue;
    // Words of 32 bits in the order of the machine (net/ipv4/tcp_ipv4.c: get_tcp4_sock).
    std::array<std::uint8_t, 16> bytes{};
    bool good = true;
    for (std::size_t word = 0; word < size / 4; ++word) {
      std::uint32_t value = 0;
      const char* begin = hex.data() + word * 8;
      const auto [end, error] = std::from_chars(begin, begin + 8, value, 16);
      good = good && error == std::errc() && end == begin + 8;
      std::memcpy(bytes.data() + word * 4, &value, 4);
    }
    if (!good) continue;
    // An IPv4 connection of an IPv6 socket (RFC 4291, 2.5.5.2).
    constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (family == Family::kIpv6 && std::equal(kMapped.begin(), kMapped.end(), bytes.begin()))
      out.emplace_back(Family::kIpv4, bytes.data() + 12);
    else
      out.emplace_back(family, bytes.data());
  }
  return out;
}

LocalPods find_local_pods(const std::vector<Prefix>& subnets) {
  LocalPods out;
  const Namespaces namespaces;
  std::thread([&] { out = look(namespaces, subnets); }).join();
  return out;
}

}  // namespace espial
