// SPDX-License-Identifier: Apache-2.0
#include "firewall/forwarding_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace espial::test {
namespace {

constexpr std::uint16_t kFence = 0x88b5;  // local experimental ethertype
constexpr int kFenceMs = 60'000;          // against hanging

bool write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  return static_cast<bool>(file.flush());
}

const std::string kMac0("\x02\0\0\0\0\x10", 6);
const std::string kMac1("\x02\0\0\0\0\x11", 6);

UniqueFd packet_socket(const char* device) {
  UniqueFd fd(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL)));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(device));
  const int one = 1;
  const int big = 8 << 20;
  setsockopt(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
  if (address.sll_ifindex == 0 ||
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    fd.reset();
  return fd;
}

constexpr const char* kBatch =
    "link set lo up\n"
    "addr add 10.9.0.1/24 dev w0\naddr add 10.9.1.1/24 dev w1\n"
    "addr add fd09::1/64 dev w0 nodad\naddr add fd09:1::1/64 dev w1 nodad\n"
    "link set w0 up\nlink set w1 up\n"
    "neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev w0 nud permanent\n"
    "neigh add 10.9.1.2 lladdr 02:00:00:00:00:03 dev w1 nud permanent\n"
    "neigh add fd09::2 lladdr 02:00:00:00:00:02 dev w0 nud permanent\n"
    "neigh add fd09:1::2 lladdr 02:00:00:00:00:03 dev w1 nud permanent\n"
    "route add 10.7.0.0/16 via 10.9.0.2 dev w0\nroute add 10.8.0.0/16 via 10.9.1.2 dev w1\n"
    "route add fd07::/16 via fd09::2 dev w0\nroute add fd08::/16 via fd09:1::2 dev w1\n";

// Without IPv6 of their own the far ends send nothing by themselves.
constexpr const char* kOtherBatch = "link set p0 up\nlink set p1 up\n";

}  // namespace

bool feed(const std::string& command, const std::string& text) {
  FILE* pipe = popen(command.c_str(), "w");
  if (pipe == nullptr) return false;
  const bool written = fwrite(text.data(), 1, text.size(), pipe) == text.size();
  return pclose(pipe) == 0 && written;
}

bool ForwardingWorld::send_in(const Probe& probe) { return send_frame(p0_, probe, kMac0); }

bool ForwardingWorld::send_back(const Probe& probe) { return send_frame(p1_, probe, kMac1); }

ForwardingWorld::ForwardingWorld() {
  if (!build() && problem_.empty()) problem_ = "the namespaces could not be set up";
}

ForwardingWorld::~ForwardingWorld() {
  if (other_ <= 0) return;
  kill(other_, SIGKILL);
  waitpid(other_, nullptr, 0);
}

bool ForwardingWorld::start_other() {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) return false;
  other_ = fork();
  if (other_ == 0) {
    // It must not outlive an interrupted test.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const char ok = unshare(CLONE_NEWNET) == 0 ? 'y' : 'n';
    if (write(ready[1], &ok, 1) != 1) _exit(1);
    for (;;) pause();
  }
  close(ready[1]);
  char ok = 'n';
  const bool done = read(ready[0], &ok, 1) == 1 && ok == 'y';
  close(ready[0]);
  return done;
}

bool ForwardingWorld::build() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(static_cast<unsigned>(sched_getcpu()), &cpus);
  if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0 || unshare(CLONE_NEWNET) != 0) {
    problem_ = "needs root";
    return false;
  }
  if (!start_other()) return false;
  const std::string pid = std::to_string(other_);
  if (!feed("ip -batch -",
            "link add w0 address 02:00:00:00:00:10 type veth peer name p0 netns " + pid +
                "\nlink add w1 address 02:00:00:00:00:11 type veth peer name p1 netns " + pid +
                "\n"))
    return false;
  for (const std::string family : {"ipv4", "ipv6"})
    if (!write_file("/proc/sys/net/" + family + "/conf/all/forwarding", "1")) return false;
  for (const std::string device : {"all", "default", "w0", "w1"})
    if (!write_file("/proc/sys/net/ipv4/conf/" + device + "/rp_filter", "0")) return false;
  if (!feed("ip -batch -", kBatch)) return false;
  return open_sockets();
}

bool ForwardingWorld::open_sockets() {
  w0_ = packet_socket("w0");
  w1_ = packet_socket("w1");
  for (const bool v6 : {false, true})
    for (const int protocol : {6, 17, v6 ? 58 : 1}) {
      UniqueFd fd(
          socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
      if (!fd.valid()) return false;
      raw_.push_back({std::move(fd), v6, static_cast<std::uint8_t>(protocol)});
    }
  own4_.reset(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  own6_.reset(socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));

  const UniqueFd home(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  const UniqueFd there(
      open(("/proc/" + std::to_string(other_) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
  if (setns(there.get(), CLONE_NEWNET) != 0) return false;
  write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
  const bool up = feed("ip -batch -", kOtherBatch);
  p0_ = packet_socket("p0");
  p1_ = packet_socket("p1");
  if (setns(home.get(), CLONE_NEWNET) != 0) return false;
  return up && p0_.valid() && p1_.valid() && w0_.valid() && w1_.valid() && own4_.valid() &&
         own6_.valid();
}

bool ForwardingWorld::send_frame(const UniqueFd& socket, const Probe& probe,
                                 const std::string& to) {
  const auto packet = ip_packet(probe);
  std::string frame = to + std::string("\x02\0\0\0\0\x02", 6);
  frame += probe.source.family() == Family::kIpv4 ? std::string("\x08\x00", 2) : "\x86\xdd";
  frame.append(packet.begin(), packet.end());
  return ::send(socket.get(), frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size());
}

bool ForwardingWorld::send_own(const Probe& probe) {
  const auto packet = ip_packet(probe);
  sockaddr_in to4{};
  to4.sin_family = AF_INET;
  std::memcpy(&to4.sin_addr, probe.destination.bytes().data(), 4);
  sockaddr_in6 to6{};
  to6.sin6_family = AF_INET6;
  std::memcpy(&to6.sin6_addr, probe.destination.bytes().data(), 16);
  const bool v4 = probe.source.family() == Family::kIpv4;
  const ssize_t sent = v4 ? sendto(own4_.get(), packet.data(), packet.size(), 0,
                                   reinterpret_cast<const sockaddr*>(&to4), sizeof(to4))
                          : sendto(own6_.get(), packet.data(), packet.size(), 0,
                                   reinterpret_cast<const sockaddr*>(&to6), sizeof(to6));
  // A rule that drops it makes the call fail.
  return sent == static_cast<ssize_t>(packet.size()) || errno == EPERM;
}

// Sends a frame that no rule here sees and reads until it comes out at the other end.
bool ForwardingWorld::fence(const UniqueFd& from, const UniqueFd& to, Arrivals& arrivals) {
  std::string frame(12, '\xff');
  frame += static_cast<char>(kFence >> 8);
  frame += static_cast<char>(kFence & 0xff);
  frame.resize(60);
  if (send(from.get(), frame.data(), frame.size(), 0) < 0) return false;
  for (;;) {
    std::uint8_t buffer[2048];
    const ssize_t got = recv(to.get(), buffer, sizeof(buffer), 0);
    if (got < 0) {
      pollfd ready{to.get(), POLLIN, 0};
      if (poll(&ready, 1, kFenceMs) <= 0) return false;
      continue;
    }
    if (got < 14) continue;
    if ((buffer[12] << 8 | buffer[13]) == kFence) return true;
    if (const auto arrival = arrival_of(buffer + 14, static_cast<std::size_t>(got) - 14))
      arrivals.emplace(arrival->number, *arrival);
  }
}

bool ForwardingWorld::collect(Arrivals& far, Arrivals& near, Arrivals& own) {
  // First everything is through the router, then everything is out of it.
  Arrivals ignored;
  if (!fence(p0_, w0_, ignored) || !fence(p1_, w1_, ignored)) return false;
  if (!fence(w1_, p1_, far) || !fence(w0_, p0_, near)) return false;
  for (const auto& socket : raw_) {
    std::uint8_t buffer[2048];
    ssize_t got = 0;
    while ((got = recv(socket.fd.get(), buffer, sizeof(buffer), 0)) > 0) {
      const std::size_t skip = socket.v6 ? 0 : 20;
      const auto size = static_cast<std::size_t>(got);
      if (size < skip) continue;
      if (const auto number = number_in(buffer + skip, size - skip, socket.protocol))
        own.emplace(*number, Arrival{*number, {}, {}, 0});
    }
  }
  return true;
}

bool ForwardingWorld::flush_connections() {
  const UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  struct {
    nlmsghdr header;
    nfgenmsg body;
  } message{};
  message.header.nlmsg_len = sizeof(message);
  message.header.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  message.body.nfgen_family = AF_UNSPEC;
  if (send(fd.get(), &message, sizeof(message), 0) != sizeof(message)) return false;
  struct {
    nlmsghdr header;
    nlmsgerr error;
  } answer{};
  if (recv(fd.get(), &answer, sizeof(answer), 0) < static_cast<ssize_t>(sizeof(answer.header) + 4))
    return false;
  return answer.header.nlmsg_type == NLMSG_ERROR && answer.error.error == 0;
}

}  // namespace espial::test
