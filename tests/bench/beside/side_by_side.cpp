// SPDX-License-Identifier: Apache-2.0
#include "bench/beside/side_by_side.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "bench/beside/path.h"
#include "bench/cases.h"
#include "bench/shell.h"
#include "kernel/attach/tcx.h"
#include "kernel/counters/counters.h"
#include "kernel/test_run.h"

namespace espial::bench {
namespace {

constexpr std::uint32_t kPeers = 1000;

// Something that watches the path while it is on.
struct Watcher {
  std::string name;
  std::function<Status()> on;
  std::function<Status()> off;
  std::function<pid_t()> process = [] { return 0; };
};

// The table of the egress program: what came from the first peer goes out as this node's own.
TableSpec seen_from_behind() {
  auto spec = mesh(kPeers);
  for (auto& entry : spec.entries) {
    if (entry.role == EP_ROLE_SELF_UNDERLAY)
      entry.role = EP_ROLE_PEER_UNDERLAY, entry.peer = 1;
    else if (entry.role == EP_ROLE_PEER_UNDERLAY && entry.peer == 1)
      entry.role = EP_ROLE_SELF_UNDERLAY, entry.peer = 0;
  }
  return spec;
}

class Espial {
 public:
  static Result<Espial> open() {
    EP_ASSIGN(rx, TestRun::open(mesh(kPeers), kPeers, TestRun::Verdicts::kNo));
    EP_ASSIGN(tx, TestRun::open(seen_from_behind(), kPeers, TestRun::Verdicts::kNo));
    return Espial(std::move(rx), std::move(tx));
  }
  Status on(const Path& path) {
    EP_TRY(attach(rx_, path.in(), Direction::RECEIVE));
    return attach(tx_, path.out(), Direction::TRANSMIT);
  }
  Status off() {
    links_.clear();
    return Ok{};
  }
  // ESP packets of the first peer, counted in both directions by now.
  [[nodiscard]] Result<std::uint64_t> counted() const {
    std::uint64_t sum = 0;
    for (const auto& [run, direction] :
         {std::pair{&rx_, Direction::RECEIVE}, std::pair{&tx_, Direction::TRANSMIT}}) {
      EP_ASSIGN(maps, Maps::of(run->programs()));
      CounterReader reader;
      EP_ASSIGN(peer, reader.peer(maps, 1));
      sum += peer.cell(direction, Family::kIpv4, Class::ESP).packets;
    }
    return sum;
  }

 private:
  Espial(TestRun rx, TestRun tx) : rx_(std::move(rx)), tx_(std::move(tx)) {}
  Status attach(const TestRun& run, int ifindex, Direction direction) {
    EP_ASSIGN(link,
              tcx_attach(run.programs().program_fd(direction, DeviceRole::kWireAndReentry, true),
                         ifindex, direction));
    links_.push_back(std::move(link.fd));
    return Ok{};
  }
  TestRun rx_;
  TestRun tx_;
  std::vector<UniqueFd> links_;
};

std::string peer_address(std::uint32_t peer) {
  return fmt::format("10.64.{}.{}", peer >> 8, peer & 255);
}
std::string peer_subnet(std::uint32_t peer) {
  return fmt::format("100.{}.{}.0/24", 64 + (peer >> 8), peer & 255);
}

template <typename Text>
std::string for_each_peer(Text text) {
  std::string out;
  for (std::uint32_t peer = 1; peer <= kPeers; ++peer) out += text(peer);
  return out;
}

// Per peer: ESP by underlay address, anything else by subnet, in and out.
std::string nft_rules() {
  const auto underlays = for_each_peer([](auto p) { return peer_address(p) + ", "; });
  const auto subnets = for_each_peer([](auto p) { return peer_subnet(p) + ", "; });
  std::string text = "table netdev bench {\n";
  for (const char* side : {"in", "out"})
    text += fmt::format(
        "set esp_{0} {{ type ipv4_addr; counter; elements = {{ {1} 10.63.0.1 }} }}\n"
        "set clear_{0} {{ type ipv4_addr; flags interval; counter; elements = {{ {2} "
        "100.63.1.0/24 }} }}\n",
        side, underlays, subnets);
  return text + fmt::format(R"(
chain ingress {{
  type filter hook ingress device "{}" priority 0
  ip protocol esp ip saddr @esp_in return
  ip saddr @clear_in return
}}
chain egress {{
  type filter hook egress device "{}" priority 0
  ip protocol esp ip daddr @esp_out return
  ip daddr @clear_out return
}}
}}
)",
                            kIn, kOut);
}

// The same with rules, as iptables has it: two for each peer and direction.
std::string iptables_rules() {
  std::string text = "*mangle\n:PREROUTING ACCEPT\n:POSTROUTING ACCEPT\n";
  text += for_each_peer([](auto p) {
    return fmt::format(
        "-A PREROUTING -i {0} -p esp -s {1}\n"
        "-A PREROUTING -i {0} -s {2} -m policy --dir in --pol none\n"
        "-A POSTROUTING -o {3} -p esp -d {1}\n"
        "-A POSTROUTING -o {3} -d {2} -m policy --dir out --pol none\n",
        kIn, peer_address(p), peer_subnet(p), kOut);
  });
  return text + "COMMIT\n";
}

class Tcpdump {
 public:
  Status on(const char* filter) {
    pid_ = fork();
    if (pid_ < 0) return Error{"tcpdump: cannot be started"};
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int null = open("/dev/null", O_RDWR);
      dup2(null, 0);
      dup2(null, 2);
      execlp("tcpdump", "tcpdump", "-n", "-i", kIn, "-w", "/dev/null", filter, nullptr);
      _exit(127);
    }
    return wait_until_capturing();
  }
  Status off() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
    return Ok{};
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  static Status wait_until_capturing() {
    using namespace std::chrono_literals;
    for (const auto end = std::chrono::steady_clock::now() + 10s;
         std::chrono::steady_clock::now() < end; std::this_thread::sleep_for(10ms)) {
      std::ifstream sockets("/proc/thread-self/net/packet");
      std::string line;
      std::getline(sockets, line);
      // The filter is set before the socket is bound to the device.
      if (std::getline(sockets, line) && line.find(" 0003 ") != std::string::npos) return Ok{};
    }
    return Error{"tcpdump: does not capture (is it installed?)"};
  }
  pid_t pid_ = 0;
};

Result<Cost> measure_path(Path& path, const Watcher& watcher, const Effort& effort) {
  std::vector<double> bases;
  return compare([&] { return path.send(effort.repeat, 0); },
                 [&]() -> Result<double> {
                   EP_TRY(watcher.on());
                   auto spent = path.send(effort.repeat, watcher.process());
                   EP_TRY(watcher.off());
                   return spent;
                 },
                 effort.rounds);
}

}  // namespace

Result<std::vector<Row>> measure_side_by_side(const Effort& effort) {
  EP_ASSIGN(espial, Espial::open());
  EP_ASSIGN(path, Path::build());
  Tcpdump tcpdump;
  const std::vector<Watcher> watchers = {
      {"pass_nothing", [] { return Ok{}; }, [] { return Ok{}; }},
      {"pass_espial_rx_tx", [&] { return espial.on(path); }, [&] { return espial.off(); }},
      {"pass_nft_netdev_sets", [] { return shell("nft -f -", nft_rules()); },
       [] { return shell("nft delete table netdev bench"); }},
      {"pass_iptables_policy", [] { return shell("iptables-restore", iptables_rules()); },
       [] { return shell("iptables -t mangle -F"); }},
      {"pass_tcpdump_all", [&] { return tcpdump.on("ip"); }, [&] { return tcpdump.off(); },
       [&] { return tcpdump.pid(); }},
      {"pass_tcpdump_no_match", [&] { return tcpdump.on("host 192.0.2.1 and icmp"); },
       [&] { return tcpdump.off(); }, [&] { return tcpdump.pid(); }},
  };
  std::vector<Row> rows;
  for (const Watcher& watcher : watchers) {
    Effort each = effort;
    // Linear rules are slow: as many packets as take as long.
    if (watcher.name == "pass_iptables_policy") each.repeat = std::max(effort.repeat / 20, 2000U);
    EP_ASSIGN(cost, measure_path(path, watcher, each));
    rows.push_back({"pass path, 64 bytes, 1,000 peers, over nothing", watcher.name, cost});
  }
  EP_ASSIGN(counted, espial.counted());
  const auto sent = std::uint64_t{effort.rounds} * effort.repeat;
  if (counted != 2 * sent)
    return Error{fmt::format("espial counted {} of {} packets", counted, 2 * sent)};
  return rows;
}

}  // namespace espial::bench
