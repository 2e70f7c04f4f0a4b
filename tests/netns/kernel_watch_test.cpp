// SPDX-License-Identifier: Apache-2.0
// KernelWatch against the running kernel, each test in a network namespace of its own that ends
// with it. Needs root and iproute2.
#include "sources/netlink/kernel_watch.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "model/devices/devices.h"
#include "model/learn/learn.h"
#include "netns/ip_batch.h"
#include "unit/facts_builder.h"
#include "unit/processor_time.h"

namespace espial {
namespace {

using test::addr;
using test::ip;
using test::net;
using Clock = std::chrono::steady_clock;

// A second network namespace: a child that sleeps in it.
class OtherNamespace {
 public:
  OtherNamespace() {
    int ready[2];
    if (pipe(ready) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      const char ok = unshare(CLONE_NEWNET) == 0 ? 'y' : 'n';
      if (write(ready[1], &ok, 1) != 1) _exit(1);
      for (;;) pause();
    }
    char ok = 'n';
    valid_ = read(ready[0], &ok, 1) == 1 && ok == 'y';
    close(ready[0]);
    close(ready[1]);
  }
  OtherNamespace(const OtherNamespace&) = delete;
  OtherNamespace& operator=(const OtherNamespace&) = delete;
  ~OtherNamespace() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] bool valid() const { return valid_; }
  [[nodiscard]] std::string pid() const { return std::to_string(pid_); }

 private:
  pid_t pid_ = -1;
  bool valid_ = false;
};

class KernelWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0) << "needs root";
    ASSERT_TRUE(other_.valid());
    ASSERT_TRUE(ip("link set lo up\n"));
  }

  // Layout A: br-prd with an uplink (a veth into the other namespace) and a pod.
  void build_layout_a() {
    ASSERT_TRUE(
        ip("link add br-prd type bridge\n"
           "link add prd-port type veth peer name far netns " +
           other_.pid() +
           "\n"
           "link add pod-port type veth peer name eth0 netns " +
           other_.pid() +
           "\n"
           "link set prd-port master br-prd up\n"
           "link set pod-port master br-prd up\n"
           "link set br-prd up\n"
           "addr add 10.45.0.11/24 dev br-prd\n"
           "addr add 10.101.1.1/24 dev br-prd\n"
           "addr add fd00:45::11/64 dev br-prd nodad\n"
           "route add 10.101.2.0/24 via 10.45.0.12 dev br-prd\n"
           "route add fd00:101:2::/64 via fd00:45::12 dev br-prd\n"
           "route add 10.101.3.0/24 via 10.45.0.13 dev br-prd table 220 metric 7\n"
           "route add 10.101.4.0/24 nexthop via 10.45.0.14 nexthop via 10.45.0.15\n"
           "route add blackhole 10.101.5.0/24\n"
           "neigh add 10.45.0.12 lladdr 02:00:00:00:00:12 dev br-prd\n"
           "neigh add 10.45.0.13 dev br-prd nud failed\n"));
    ASSERT_TRUE(ip("fdb add 02:00:00:00:00:12 dev prd-port master static\n", "bridge"));
  }

  static bool readable(const KernelWatch& watch, int timeout_ms) {
    pollfd wait{watch.fd(), POLLIN, 0};
    return poll(&wait, 1, timeout_ms) == 1;
  }

  // Drains until done says so; a minute guards against hanging.
  template <typename Done>
  static bool drained(KernelWatch& watch, Done done) {
    const auto deadline = Clock::now() + std::chrono::minutes(1);
    while (Clock::now() < deadline) {
      if (!readable(watch, 100)) continue;
      const auto changes = watch.drain();
      if (!changes.ok()) return false;
      if (done(*changes)) return true;
    }
    return false;
  }

  OtherNamespace other_;
};

const LinkFact* find_link(const KernelFacts& facts, const std::string& name) {
  const auto it = std::find_if(facts.links.begin(), facts.links.end(),
                               [&](const LinkFact& link) { return link.name == name; });
  return it == facts.links.end() ? nullptr : &*it;
}

std::vector<RouteFact> routes_to(const KernelFacts& facts, const std::string& prefix) {
  std::vector<RouteFact> found;
  for (const auto& route : facts.routes)
    if (route.destination == net(prefix)) found.push_back(route);
  return found;
}

template <typename Range>
bool contains(const Range& range, int value) {
  return std::find(range.begin(), range.end(), value) != range.end();
}

TEST_F(KernelWatchTest, ReadsLinksAndAddresses) {
  build_layout_a();
  auto watch = KernelWatch::open();
  ASSERT_TRUE(watch.ok()) << watch.error().message;
  const auto facts = watch->read();
  ASSERT_TRUE(facts.ok()) << facts.error().message;
  ASSERT_EQ(facts->links.size(), 4u);
  const auto* bridge = find_link(*facts, "br-prd");
  const auto* port = find_link(*facts, "prd-port");
  ASSERT_TRUE(bridge && port && find_link(*facts, "lo"));
  EXPECT_EQ(find_link(*facts, "lo")->arphrd, 772);
  EXPECT_EQ(bridge->kind, "bridge");
  EXPECT_EQ(bridge->ifindex, static_cast<int>(if_nametoindex("br-prd")));
  EXPECT_TRUE(bridge->up);
  EXPECT_EQ(port->kind, "veth");
  EXPECT_EQ(port->slave_kind, "bridge");
  EXPECT_EQ(port->master, bridge->ifindex);
  EXPECT_TRUE(port->lower_elsewhere);
  EXPECT_EQ(port->lower, 0);
  EXPECT_EQ(port->mtu, 1500);
  const auto holds = [&](const std::string& address, unsigned length) {
    return std::any_of(facts->addresses.begin(), facts->addresses.end(), [&](const auto& fact) {
      return fact.ifindex == bridge->ifindex && fact.address == addr(address) &&
             fact.prefix_length == length;
    });
  };
  EXPECT_TRUE(holds("10.45.0.11", 24));
  EXPECT_TRUE(holds("10.101.1.1", 24));
  EXPECT_TRUE(holds("fd00:45::11", 64));
}

TEST_F(KernelWatchTest, ReadsRoutesNeighboursAndForwardingTable) {
  build_layout_a();
  auto watch = KernelWatch::open();
  ASSERT_TRUE(watch.ok());
  const auto facts = watch->read();
  ASSERT_TRUE(facts.ok()) << facts.error().message;
  const int bridge = find_link(*facts, "br-prd")->ifindex;
  const int port = find_link(*facts, "prd-port")->ifindex;

  const auto v4 = routes_to(*facts, "10.101.2.0/24");
  ASSERT_EQ(v4.size(), 1u);
  EXPECT_EQ(v4[0].gateway, addr("10.45.0.12"));
  EXPECT_EQ(v4[0].oif, bridge);
  EXPECT_EQ(v4[0].table, 254u);
  ASSERT_EQ(routes_to(*facts, "fd00:101:2::/64").size(), 1u);
  EXPECT_EQ(routes_to(*facts, "fd00:101:2::/64")[0].gateway, addr("fd00:45::12"));
  ASSERT_EQ(routes_to(*facts, "10.101.3.0/24").size(), 1u);
  EXPECT_EQ(routes_to(*facts, "10.101.3.0/24")[0].table, 220u);
  EXPECT_EQ(routes_to(*facts, "10.101.3.0/24")[0].metric, 7u);
  EXPECT_EQ(routes_to(*facts, "10.101.4.0/24").size(), 2u);
  ASSERT_EQ(routes_to(*facts, "10.101.5.0/24").size(), 1u);
  EXPECT_EQ(routes_to(*facts, "10.101.5.0/24")[0].text(), "blackhole 10.101.5.0/24");
  for (const auto& route : facts->routes) EXPECT_NE(route.table, 255u);

  ASSERT_EQ(facts->neighbours.size(), 1u);
  EXPECT_EQ(facts->neighbours[0].address, addr("10.45.0.12"));
  EXPECT_EQ(facts->neighbours[0].mac, test::mac(0x12));
  const auto entry = std::find_if(facts->fdb.begin(), facts->fdb.end(),
                                  [](const auto& fact) { return fact.mac == test::mac(0x12); });
  ASSERT_NE(entry, facts->fdb.end());
  EXPECT_EQ(entry->bridge, bridge);
  EXPECT_EQ(entry->port, port);
  EXPECT_FALSE(entry->local);
  EXPECT_TRUE(std::any_of(facts->fdb.begin(), facts->fdb.end(),
                          [](const auto& fact) { return fact.local; }));
}

TEST_F(KernelWatchTest, ReadsRulesInOrderAndSeesThemChange) {
  ASSERT_TRUE(
      ip("rule add priority 200 from 10.101.1.0/24 prohibit\n"
         "rule add priority 100 iif lo fwmark 0x1 lookup 99\n"));
  auto watch = KernelWatch::open();
  ASSERT_TRUE(watch.ok());
  auto facts = watch->read();
  ASSERT_TRUE(facts.ok()) << facts.error().message;
  std::string four;
  for (const auto& rule : facts->rules)
    if (rule.family() == Family::kIpv4) four += rule.text() + "\n";
  EXPECT_EQ(four,
            "0: from all lookup local\n"
            "100: from all fwmark 0x1 iif lo lookup 99\n"
            "200: from 10.101.1.0/24 prohibit\n"
            "32766: from all lookup main\n"
            "32767: from all lookup default\n");
  ASSERT_TRUE(ip("rule add priority 50 blackhole\n", "ip -6"));
  ASSERT_TRUE(drained(*watch, [&](const Changes& changes) {
    return changes.routes && watch->refresh(changes, *facts).ok();
  }));
  EXPECT_TRUE(std::any_of(facts->rules.begin(), facts->rules.end(), [](const auto& rule) {
    return rule.text() == "50: from all blackhole" && rule.family() == Family::kIpv6;
  }));
}

const char* const kPolicies =
    "xfrm policy add src 10.101.1.0/24 dst 10.101.2.0/24 dir out tmpl src 10.45.0.11 dst "
    "10.45.0.12 proto esp reqid 5 mode tunnel\n"
    "xfrm policy add src 10.101.2.0/24 dst 10.101.1.0/24 dir in tmpl src 10.45.0.12 dst "
    "10.45.0.11 proto esp reqid 5 mode tunnel\n"
    "xfrm policy add src fd00:101:1::/64 dst fd00:101:2::/64 dir out action block\n";

// A state that needs no cipher, so that kernels without ESP have it too.
const char* const kLarval =
    "xfrm state allocspi src 10.45.0.12 dst 10.45.0.11 proto esp mode tunnel reqid 5 min 0x100 max "
    "0x200\n";

TEST_F(KernelWatchTest, ReadsStates) {
  auto watch = KernelWatch::open();
  ASSERT_TRUE(watch.ok());
  ASSERT_TRUE(ip(kLarval));
  const auto facts = watch->read();
  ASSERT_TRUE(facts.ok());
  ASSERT_EQ(facts->states.size(), 1u);
  const auto& state = facts->states[0];
  EXPECT_EQ(state.source, addr("10.45.0.12"));
  EXPECT_EQ(state.destination, addr("10.45.0.11"));
  EXPECT_EQ(state.protocol, 50);
  EXPECT_EQ(state.reqid, 5u);
  EXPECT_TRUE(state.tunnel_mode);
  EXPECT_GE(state.spi, 0x100u);
  EXPECT_LE(state.spi, 0x200u);
}

TEST_F(KernelWatchTest, ReadsPoliciesAndMergesThemIntoAMesh) {
  build_layout_a();
  auto watch = KernelWatch::open();
  ASSERT_TRUE(watch.ok());
  EXPECT_TRUE(watch->xfrm_events());
  ASSERT_TRUE(ip(kPolicies));
  const auto facts = watch->read();
  ASSERT_TRUE(facts.ok());
  ASSERT_TRUE(facts->xfrm_readable) << facts->xfrm_reason;
  ASSERT_EQ(facts->policies.size(), 3u);
  const auto out = std::find_if(facts->policies.begin(), facts->policies.end(), [](const auto& p) {
    return p.direction == PolicyDirection::kOut && p.allow;
  });
  ASSERT_NE(out, facts->policies.end());
  EXPECT_EQ(out->destination, net("10.101.2.0/24"));
  EXPECT_EQ(out->template_destination, addr("10.45.0.12"));
  EXPECT_EQ(out->reqid, 5u);

  Config config;
  const auto topology = merge_topology(config, *facts, {});
  ASSERT_EQ(topology.peers.size(), 1u);
  EXPECT_EQ(topology.peers[0].name, "10.45.0.12");
  const auto plans = plan_devices(*facts, topology, config);
  ASSERT_EQ(plans.devices.size(), 2u);
  EXPECT_EQ(plans.find(find_link(*facts, "br-prd")->ifindex)->role, DeviceRole::kReentry);
  const auto* port = plans.find(find_link(*facts, "prd-port")->ifindex);
  EXPECT_EQ(port->role, DeviceRole::kWire);
  EXPECT_TRUE(port->expected);
}

TEST_F(KernelWatchTest, TellsEachKindOfChangeAndIsQuietOtherwise) {
  build_layout_a();
  auto watch = KernelWatch::open();
  ASSERT_TRUE(watch.ok());
  while (readable(*watch, 50)) ASSERT_TRUE(watch->drain().ok());
  EXPECT_FALSE(watch->drain()->any());

  ASSERT_TRUE(ip("addr add 10.45.0.77/32 dev br-prd\n"));
  EXPECT_TRUE(drained(*watch, [](const Changes& c) { return c.addresses; }));
  ASSERT_TRUE(ip("route add 10.101.9.0/24 via 10.45.0.12\n"));
  EXPECT_TRUE(drained(*watch, [](const Changes& c) { return c.routes && !c.links; }));
  ASSERT_TRUE(ip("route add fd00:101:9::/64 via fd00:45::12\n"));
  EXPECT_TRUE(drained(*watch, [](const Changes& c) { return c.routes; }));
  ASSERT_TRUE(ip("neigh add 10.45.0.99 lladdr 02:00:00:00:00:99 dev br-prd\n"));
  EXPECT_TRUE(drained(*watch, [](const Changes& c) { return c.neighbours && !c.fdb; }));
  ASSERT_TRUE(ip("fdb add 02:00:00:00:00:99 dev prd-port master static\n", "bridge"));
  EXPECT_TRUE(drained(*watch, [](const Changes& c) { return c.fdb; }));
  ASSERT_TRUE(ip(kPolicies));
  EXPECT_TRUE(drained(*watch, [](const Changes& c) { return c.policies; }));
  ASSERT_TRUE(ip("xfrm policy flush\n"));
  EXPECT_TRUE(drained(*watch, [](const Changes& c) { return c.policies; }));
  ASSERT_TRUE(ip(std::string(kLarval) + "xfrm state flush\n"));
  EXPECT_TRUE(drained(*watch, [](const Changes& c) { return c.states; }));
  EXPECT_EQ(watch->overruns(), 0u);
}

TEST_F(KernelWatchTest, NamesDevicesThatComeAndGo) {
  auto watch = KernelWatch::open();
  ASSERT_TRUE(watch.ok());
  ASSERT_TRUE(ip("link add up0 type veth peer name up1\n"));
  const int ifindex = static_cast<int>(if_nametoindex("up0"));
  EXPECT_TRUE(drained(
      *watch, [&](const Changes& c) { return c.links && contains(c.links_seen, ifindex); }));
  const auto links = watch->read_links();
  ASSERT_TRUE(links.ok());
  EXPECT_EQ(links->size(), 3u);

  // Put into a bridge and taken out again: changed, not gone.
  ASSERT_TRUE(ip("link add br0 type bridge\nlink set up0 master br0\n"));
  while (readable(*watch, 50)) ASSERT_TRUE(watch->drain().ok());
  ASSERT_TRUE(ip("link set up0 nomaster\n"));
  EXPECT_TRUE(drained(*watch, [&](const Changes& c) {
    EXPECT_TRUE(c.links_gone.empty());
    return contains(c.links_seen, ifindex);
  }));
  ASSERT_TRUE(ip("link del up0\n"));
  EXPECT_TRUE(drained(*watch, [&](const Changes& c) { return contains(c.links_gone, ifindex); }));
}

std::string many_routes(const std::string& verb, int count) {
  std::string batch;
  for (int i = 0; i < count; ++i)
    batch += "route " + verb + " 100." + std::to_string(64 + i / 256) + "." +
             std::to_string(i % 256) + ".0/24 via 10.45.0.12\n";
  return batch;
}

TEST_F(KernelWatchTest, TenThousandRoutesDoNotDelayANewDevice) {
  build_layout_a();
  ASSERT_TRUE(ip(many_routes("add", 10'000)));
  auto watch = KernelWatch::open();
  ASSERT_TRUE(watch.ok());
  const auto facts = watch->read();
  ASSERT_TRUE(facts.ok());
  EXPECT_GE(facts->routes.size(), 10'000u);
  ASSERT_TRUE(ip("link add up0 type veth peer name up1\n"));
  const int ifindex = static_cast<int>(if_nametoindex("up0"));
  const auto started = test::processor_time();
  const auto changes = watch->drain();
  ASSERT_TRUE(changes.ok());
  EXPECT_TRUE(contains(changes->links_seen, ifindex));
  const auto links = watch->read_links();
  ASSERT_TRUE(links.ok());
  EXPECT_LT(test::processor_time() - started, std::chrono::milliseconds(50));
}

TEST_F(KernelWatchTest, AStormOfRoutesIsAnOverrunThatLosesNoDevice) {
  build_layout_a();
  auto watch = KernelWatch::open();
  ASSERT_TRUE(watch.ok());
  ASSERT_TRUE(ip("link add up0 type veth peer name up1\n"));
  const int ifindex = static_cast<int>(if_nametoindex("up0"));
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(ip(many_routes("add", 10'000)));
    ASSERT_TRUE(ip(many_routes("del", 10'000)));
  }
  const auto changes = watch->drain();
  ASSERT_TRUE(changes.ok()) << changes.error().message;
  EXPECT_TRUE(changes->overrun);
  EXPECT_TRUE(changes->routes && changes->policies && changes->states && changes->fdb);
  EXPECT_TRUE(contains(changes->links_seen, ifindex));
  EXPECT_EQ(watch->overruns(), 1u);
  // Afterwards events arrive again.
  while (readable(*watch, 50)) ASSERT_TRUE(watch->drain().ok());
  ASSERT_TRUE(ip("route add 10.101.9.0/24 via 10.45.0.12\n"));
  EXPECT_TRUE(drained(*watch, [](const Changes& c) { return c.routes && !c.overrun; }));
}

TEST_F(KernelWatchTest, RefreshReadsOnlyWhatChanged) {
  build_layout_a();
  auto watch = KernelWatch::open();
  ASSERT_TRUE(watch.ok());
  auto facts = watch->read();
  ASSERT_TRUE(facts.ok());
  facts->routes.clear();
  ASSERT_TRUE(ip("link add up0 type veth peer name up1\n"));
  Changes links;
  links.links = true;
  ASSERT_TRUE(watch->refresh(links, *facts).ok());
  EXPECT_NE(find_link(*facts, "up0"), nullptr);
  EXPECT_TRUE(facts->routes.empty());
}

// Reserves an SPI from 10.45.0.12 for one processor, as a key manager does while it negotiates.
bool reserve_spi(std::uint32_t spi, std::uint32_t cpu) {
  struct {
    nlmsghdr head;
    xfrm_userspi_info info;
    nlattr cpu_head;
    std::uint32_t cpu;
  } request{};
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = XFRM_MSG_ALLOCSPI;
  request.head.nlmsg_flags = NLM_F_REQUEST;
  auto& info = request.info;
  info.info.family = AF_INET;
  info.info.saddr.a4 = inet_addr("10.45.0.12");
  info.info.id.daddr.a4 = inet_addr("10.45.0.11");
  info.info.id.proto = 50;
  info.info.mode = XFRM_MODE_TUNNEL;
  info.info.reqid = 42;
  // An SPI that is negotiated is found again by its sequence number.
  info.info.seq = spi;
  info.min = info.max = spi;
  request.cpu_head = {sizeof(nlattr) + sizeof(std::uint32_t), 35 /* XFRMA_SA_PCPU */};
  request.cpu = cpu;
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);
  const bool sent = send(fd, &request, sizeof request, 0) == sizeof request;
  char reply[4096];
  const auto got = recv(fd, reply, sizeof reply, 0);
  close(fd);
  nlmsghdr head{};
  if (got >= static_cast<ssize_t>(sizeof head)) memcpy(&head, reply, sizeof head);
  return sent && head.nlmsg_type == XFRM_MSG_NEWSA;
}

TEST_F(KernelWatchTest, ReservedSpisOfEachProcessorAreNoSas) {
  ASSERT_TRUE(reserve_spi(0x1001, 0));
  ASSERT_TRUE(reserve_spi(0x1002, 1));
  auto watch = KernelWatch::open();
  ASSERT_TRUE(watch.ok());
  const auto facts = watch->read();
  ASSERT_TRUE(facts.ok());
  ASSERT_EQ(facts->states.size(), 2u);
  std::vector<std::uint32_t> cpus;
  for (const auto& state : facts->states) {
    EXPECT_TRUE(state.larval()) << "no keys";
    EXPECT_NE(state.spi, 0u);
    if (state.cpu) cpus.push_back(*state.cpu);
  }
  std::sort(cpus.begin(), cpus.end());
  EXPECT_EQ(cpus, (std::vector<std::uint32_t>{0, 1})) << "since Linux 6.13";
}

TEST_F(KernelWatchTest, WithoutPermissionEverythingButXfrmWorks) {
  build_layout_a();
  const pid_t child = fork();
  if (child == 0) {
    if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0) _exit(10);
    auto watch = KernelWatch::open();
    if (!watch.ok()) _exit(11);
    const auto facts = watch->read();
    if (!facts.ok() || facts->links.size() != 4 || facts->routes.empty()) _exit(12);
    if (facts->xfrm_readable || watch->xfrm_events()) _exit(13);
    if (facts->xfrm_reason.find("Operation not permitted (needs CAP_NET_ADMIN)") ==
        std::string::npos)
      _exit(14);
    _exit(watch->drain().ok() ? 0 : 15);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace espial
