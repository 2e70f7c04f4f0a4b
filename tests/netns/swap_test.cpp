// SPDX-License-Identifier: Apache-2.0
// Tables and programs are exchanged while packets come in at full speed: none is lost, passed or
// counted twice. ESPIAL_SWAPS and ESPIAL_PACKETS say how many, at least; the defaults are for a
// check of seconds. In network, mount and BPF namespaces of its own.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>

#include "bench/beside/generator.h"
#include "frames/frame.h"
#include "kernel/attach/attachments.h"
#include "kernel/attach/xdp_attachments.h"
#include "kernel/counters/counters.h"
#include "kernel/peers/mode_map.h"
#include "netns/vlan_offload.h"
// After bench/shared.bpf.h, whose types the skeleton uses.
#include "bench.skel.h"

namespace espial {
namespace {

using namespace frames;  // NOLINT: frames are built from many small types

constexpr const char* kPins = "/sys/fs/bpf/espial-swap-test";
constexpr std::uint32_t kPeers = 16;
constexpr std::uint32_t kEnforced = 1;  // sends in clear
constexpr std::uint32_t kHealthy = 2;   // sends ESP

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// Both peers are in every table; what else is there, and so where everything stands, changes.
TableSpec table(std::uint32_t generation) {
  const auto prefix = [](const std::string& text) { return Prefix::parse(text).value(); };
  TableSpec spec;
  spec.generation = generation;
  spec.entries = {{prefix("10.101.1.0/24"), EP_ROLE_SELF_BACKEND, 0, 0, true},
                  {prefix("192.168.1.1/32"), EP_ROLE_SELF_UNDERLAY, 0, 0, true},
                  {prefix("10.101.2.0/24"), EP_ROLE_PEER_BACKEND, kEnforced, 1, true},
                  {prefix("192.168.1.3/32"), EP_ROLE_PEER_UNDERLAY, kHealthy, 0, true}};
  for (std::uint32_t other = 0; other < generation % 20; ++other)
    spec.entries.push_back({prefix(fmt::format("10.{}.{}.0/24", 110 + other, generation % 200)),
                            EP_ROLE_PEER_BACKEND, 3 + other % 10, 0, true});
  return spec;
}

Programs load() {
  ProgramLimits limits;
  limits.max_peers = kPeers;
  limits.max_subnets = 64;
  limits.xdp = true;
  std::filesystem::remove_all(std::string(kPins) + "/programs");  // another build adopts none
  auto programs = Programs::load(kPins, limits);
  EXPECT_TRUE(programs.ok()) << programs.error().message;
  EXPECT_TRUE(programs->set_table(table(0)).ok());
  return std::move(*programs);
}

struct Exchanged {
  std::atomic<std::uint64_t> tables{0};
  std::atomic<std::uint64_t> programs{0};
  std::atomic<bool> failed{false};
};

class Swap : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    ASSERT_EQ(unshare(CLONE_NEWNET | CLONE_NEWNS), 0) << "needs root";
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr), 0);
    ASSERT_EQ(std::system("ip link add far type veth peer name near && "
                          "echo 1 >/proc/sys/net/ipv6/conf/far/disable_ipv6 && "
                          "ip link set far up && ip link set near up"),
              0);
    ASSERT_TRUE(bench::turn_gro_on("near").ok());
    ASSERT_TRUE(show_vlan_tags("near"));
    near_ = static_cast<int>(if_nametoindex("near"));
  }
  void TearDown() override {
    (void)std::system("ip link del far");
    (void)detach_all(kPins, "/nonexistent").ok();
    (void)umount("/sys/fs/bpf");
  }

  // Puts the programs of one load on the device, as a daemon that starts does.
  void put(const Programs& programs) {
    DevicePlan device;
    device.ifindex = near_;
    device.name = "near";
    attachments_->apply({device}, programs);
    if (GetParam()) xdp_->apply({{near_, "near", true, ""}}, programs);
  }
  [[nodiscard]] bool attached() const {
    const auto devices = attachments_->status();
    return devices.size() == 1 && devices[0].receive_attached && devices[0].transmit_attached &&
           (!GetParam() || xdp_->status().at(near_).attached);
  }
  // Two builds that follow one another, and a table every time. `done` tells when.
  void exchange(std::array<Programs, 2>& builds, std::uint64_t wanted, Exchanged& done) {
    while (!done.failed && (done.tables < wanted || done.programs < wanted)) {
      auto& build = builds[done.programs % 2];
      if (!build.set_table(table(static_cast<std::uint32_t>(done.tables))).ok()) done.failed = true;
      ++done.tables;
      put(build);
      if (!attached()) done.failed = true;
      ++done.programs;
    }
  }

  int near_ = 0;
  std::optional<Attachments> attachments_;
  std::optional<XdpAttachments> xdp_;
};

Bytes cleartext() {
  return (Eth{} / Ipv4{.src = "10.101.2.10", .dst = "10.101.1.10"} / Udp{} / Payload{22}).bytes();
}
Bytes esp() {
  return (Eth{} / Ipv4{.src = "192.168.1.3", .dst = "192.168.1.1"} / Esp{} / Payload{22}).bytes();
}

// Everything that was counted, whoever it was put down to.
std::uint64_t all_packets(const Maps& maps) {
  CounterReader reader;
  std::uint64_t sum = 0;
  for (std::uint32_t index = 0; index <= kPeers; ++index) {
    const auto peer = reader.peer(maps, index).value();
    for (const auto& families : peer.cells[at(Direction::RECEIVE)])
      for (const auto& cell : families) sum += cell.packets;
  }
  return sum;
}

void wait_for(const Maps& maps, std::uint64_t packets) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (all_packets(maps) < packets && std::chrono::steady_clock::now() < limit)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

TEST_P(Swap, EveryPacketIsCountedOnce) {
  const auto swaps = from_environment("ESPIAL_SWAPS", 200);
  const auto packets = from_environment("ESPIAL_PACKETS", 1'000'000);
  std::array<Programs, 2> builds{load(), load()};
  ASSERT_TRUE(builds[1].adopted());
  auto attachments = Attachments::open(kPins, "/nonexistent", builds[0]);
  ASSERT_TRUE(attachments.ok()) << attachments.error().message;
  attachments_ = std::move(*attachments);
  xdp_ = XdpAttachments::open(kPins);
  auto generator = bench::Generator::open("far");
  ASSERT_TRUE(generator.ok()) << generator.error().message;
  // Behind ours: what they passed.
  auto& object = generator->object();
  put(builds[0]);
  ASSERT_TRUE(attached());
  const auto behind = bench::count_behind(object, near_);
  ASSERT_TRUE(behind.ok()) << behind.error().message;
  ASSERT_TRUE(
      write_mode_entry(builds[0].map_fd(MapId::kPolicy), kEnforced, {Mode::ENFORCE, {}}).ok());

  Exchanged done;
  std::thread exchanger([&] { exchange(builds, swaps, done); });
  std::uint64_t each = 0;  // of both kinds
  constexpr std::uint32_t kAtOnce = 20'000;
  const auto start = std::chrono::steady_clock::now();
  while (!done.failed && (done.tables < swaps || done.programs < swaps || 2 * each < packets)) {
    for (const auto& frame : {cleartext(), esp()})
      if (!generator->send(frame, {}, kAtOnce, 0).ok()) done.failed = true;
    each += kAtOnce;
  }
  exchanger.join();
  ASSERT_FALSE(done.failed);

  const auto maps = Maps::of(builds[0]);
  wait_for(*maps, 2 * each);
  CounterReader reader;
  const auto enforced = reader.peer(*maps, kEnforced).value();
  const auto healthy = reader.peer(*maps, kHealthy).value();
  EXPECT_EQ(enforced.cell(Direction::RECEIVE, Family::kIpv4, Class::CLEARTEXT).packets, each);
  EXPECT_EQ(
      enforced.enforced[at(Action::kDrop)][at(Direction::RECEIVE)][at(Reason::CLEARTEXT)].packets,
      each);
  EXPECT_EQ(healthy.cell(Direction::RECEIVE, Family::kIpv4, Class::ESP).packets, each);
  EXPECT_EQ(object.bss->bench_arrived, each) << "of the enforced peer nothing may pass";
  Snapshot node;
  ASSERT_TRUE(reader.node(*maps, node).ok());
  for (const auto lost : node.lost) EXPECT_EQ(lost, 0U);
  EXPECT_EQ(all_packets(*maps), 2 * each) << "something else was counted, too";
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  fmt::print("{} packets, {} tables, {} programs in {:.1f} s\n", 2 * each, done.tables.load(),
             done.programs.load(), took.count());
}

INSTANTIATE_TEST_SUITE_P(, Swap, ::testing::Values(false, true),
                         [](const auto& mode) { return mode.param ? "XdpAndTcx" : "Tcx"; });

}  // namespace
}  // namespace espial
