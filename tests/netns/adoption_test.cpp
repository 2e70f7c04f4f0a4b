// SPDX-License-Identifier: Apache-2.0
// A start adopts the programs that an earlier one pinned, or loads its own: when they are the same
// to the last map, and never otherwise. In mount and BPF namespaces of its own.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernel/attach/attached.h"
#include "kernel/attach/attachments.h"
#include "kernel/counters/counters.h"
#include "kernel/counters/drops.h"
#include "kernel/peers/mode_map.h"
#include "kernel/pin_dir.h"

namespace espial {
namespace {

const std::string kPins = "/sys/fs/bpf/espial-adoption-test";
const std::string kPrograms = kPins + "/programs";
constexpr std::uint32_t kPeer = 1;

ProgramLimits limits() {
  ProgramLimits limits;
  limits.max_peers = 16;
  limits.max_subnets = 64;
  return limits;
}

TableSpec table() {
  const auto prefix = [](const char* text) { return Prefix::parse(text).value(); };
  TableSpec spec;
  spec.entries = {{prefix("10.101.1.0/24"), EP_ROLE_SELF_BACKEND, 0, 0, true},
                  {prefix("10.45.0.11/32"), EP_ROLE_SELF_UNDERLAY, 0, 0, true},
                  {prefix("10.101.2.0/24"), EP_ROLE_PEER_BACKEND, kPeer, 0, true},
                  {prefix("10.45.0.12/32"), EP_ROLE_PEER_UNDERLAY, kPeer, 0, true}};
  return spec;
}

// A plain UDP packet of the peer to this node, in clear.
std::array<std::uint8_t, 60> cleartext() {
  std::array<std::uint8_t, 60> frame{};
  frame[12] = 0x08;
  frame[14] = 0x45;
  frame[17] = 46;
  frame[22] = 64;
  frame[23] = 17;
  const std::array<std::uint8_t, 8> addresses{10, 101, 2, 10, 10, 101, 1, 10};
  std::copy(addresses.begin(), addresses.end(), frame.begin() + 26);
  frame[39] = 26;
  return frame;
}

// What the program for received packets returns for one.
int judge(const Programs& programs) {
  const auto frame = cleartext();
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = frame.size();
  options.repeat = 1;
  EXPECT_EQ(bpf_prog_test_run_opts(programs.program_fd(Direction::RECEIVE, DeviceRole::kWire, true),
                                   &options),
            0);
  return static_cast<int>(options.retval);
}

std::uint64_t counted(const Programs& programs) {
  const auto maps = Maps::of(programs);
  return CounterReader()
      .peer(*maps, kPeer)
      .value()
      .cell(Direction::RECEIVE, Family::kIpv4, Class::CLEARTEXT)
      .packets;
}

// The id of the table that programs read now.
std::uint32_t table_in_use(const Programs& programs) {
  const std::uint32_t zero = 0;
  std::uint32_t id = 0;
  EXPECT_EQ(bpf_map_lookup_elem(programs.map_fd(MapId::kTables), &zero, &id), 0);
  return id;
}

std::uint64_t own_drops(const Programs& programs) {
  std::vector<std::uint64_t> values(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  const std::uint32_t zero = 0;
  EXPECT_EQ(bpf_map_lookup_elem(programs.shared_fd(SharedMap::kOwnDrops), &zero, values.data()), 0);
  std::uint64_t sum = 0;
  for (const auto value : values) sum += value;
  return sum;
}

std::vector<std::uint32_t> ids(const Programs& programs) {
  std::vector<std::uint32_t> found;
  for (const bool ethernet : {true, false}) {
    for (const auto role : {DeviceRole::kWire, DeviceRole::kReentry, DeviceRole::kWireAndReentry})
      found.push_back(program_id(programs.program_fd(Direction::RECEIVE, role, ethernet)));
    found.push_back(
        program_id(programs.program_fd(Direction::TRANSMIT, DeviceRole::kWire, ethernet)));
  }
  return found;
}

class Adoption : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(unshare(CLONE_NEWNS | CLONE_NEWNET), 0) << "needs root";
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr), 0);
  }
  void TearDown() override { (void)umount("/sys/fs/bpf"); }

  static Programs start(const ProgramLimits& wanted = limits()) {
    auto programs = Programs::load(kPins, wanted);
    EXPECT_TRUE(programs.ok()) << programs.error().message;
    EXPECT_TRUE(programs->set_table(table()).ok());
    EXPECT_EQ(programs->use().problem, "");
    return std::move(*programs);
  }

  static void expect_loaded(const Programs& programs, const std::string& why) {
    EXPECT_GT(programs.use().loaded, 0U);
    EXPECT_EQ(programs.use().adopted, 0U);
    EXPECT_NE(programs.use().why.find(why), std::string::npos) << programs.use().why;
  }
  static void expect_adopted(const Programs& programs) {
    EXPECT_EQ(programs.use().loaded, 0U) << programs.use().why;
    EXPECT_GT(programs.use().adopted, 0U);
    EXPECT_EQ(programs.use().why, "");
    EXPECT_TRUE(programs.adopted());
  }

  // Something happens to the pins: the next start loads, says why, counts on if the maps are whole,
  // and leaves pins that the one after it adopts.
  static void spoilt_by(const std::function<void()>& spoil, const std::string& why,
                        bool counts_on = true) {
    const auto first = start();
    (void)judge(first);
    const auto before = counted(first);
    spoil();
    const auto second = start();
    expect_loaded(second, why);
    EXPECT_NE(ids(second), ids(first));
    if (counts_on) {
      (void)judge(second);
      EXPECT_EQ(counted(second), before + 1);
    }
    const auto third = start();
    expect_adopted(third);
    EXPECT_EQ(ids(third), ids(second));
  }

  static void pin_again(int fd, const std::string& path) {
    ASSERT_EQ(unlink(path.c_str()), 0) << path;
    ASSERT_EQ(bpf_obj_pin(fd, path.c_str()), 0) << path;
  }
};

TEST_F(Adoption, TakesTheVeryProgramsAndGoesOn) {
  std::vector<std::uint32_t> loaded;
  {
    const auto first = start();
    expect_loaded(first, "no programs were pinned");
    EXPECT_EQ(first.use().loaded, 8U);
    loaded = ids(first);
    EXPECT_EQ(judge(first), -1);
    EXPECT_EQ(counted(first), 1U);
  }
  auto second = start();
  expect_adopted(second);
  EXPECT_EQ(second.use().adopted, 8U);
  EXPECT_EQ(ids(second), loaded);
  EXPECT_TRUE(second.xfrm_state());
  EXPECT_EQ(judge(second), -1);
  EXPECT_EQ(counted(second), 2U);
}

// Filling the table in use would judge packets by half of one and half of the other.
TEST_F(Adoption, ATableIsFilledWhereNoProgramReads) {
  auto programs = start();
  std::uint32_t before = table_in_use(programs);
  for (int turn = 0; turn < 3; ++turn) {
    ASSERT_TRUE(programs.set_table(table()).ok());
    const std::uint32_t now = table_in_use(programs);
    EXPECT_NE(now, before);
    before = now;
  }
}

TEST_F(Adoption, SwapsTablesAndDrops) {
  (void)start();
  auto programs = start();
  expect_adopted(programs);
  ASSERT_TRUE(write_mode_entry(programs.map_fd(MapId::kPolicy), kPeer, {Mode::ENFORCE, {}}).ok());
  EXPECT_EQ(judge(programs), 2) << "TC_ACT_SHOT";
  EXPECT_EQ(own_drops(programs), 1U) << "the count for the drop program";
  // Another table, and the first again: both tables of this start take their turn.
  for (int turn = 0; turn < 3; ++turn) {
    ASSERT_TRUE(programs.set_table(TableSpec{}).ok());
    EXPECT_EQ(judge(programs), -1) << "nobody is known";
    ASSERT_TRUE(programs.set_table(table()).ok());
    EXPECT_EQ(judge(programs), 2);
  }
  EXPECT_EQ(own_drops(programs), 4U);
  const auto drops = Drops::start(programs);
  EXPECT_TRUE(drops.running()) << drops.why();
}

TEST_F(Adoption, OtherLimitsLoad) {
  (void)start();
  auto other = limits();
  other.flow_events_per_second = 7;
  const auto second = start(other);
  expect_loaded(second, "another configuration");
  EXPECT_TRUE(second.adopted()) << "the maps are the same";
  expect_adopted(start(other));
  other.max_peers = 32;
  const auto larger = start(other);
  expect_loaded(larger, "another configuration");
  EXPECT_TRUE(larger.carried());
  expect_adopted(start(other));
  other.xdp = true;
  const auto accelerated = start(other);
  expect_loaded(accelerated, "another configuration");
  EXPECT_EQ(accelerated.use().loaded, 9U);
  const auto again = start(other);
  expect_adopted(again);
  EXPECT_EQ(program_id(again.xdp_fd()), program_id(accelerated.xdp_fd()));
}

TEST_F(Adoption, MissingPinsLoad) {
  (void)start();
  for (const std::string name : {"ep_tx_l3", "ep_own_drops", "ep_loaded"})
    spoilt_by([&] { ASSERT_EQ(unlink((kPrograms + "/" + name).c_str()), 0); }, "is not pinned");
  spoilt_by([] { std::filesystem::remove_all(kPrograms); }, "no programs were pinned");
  spoilt_by([] { ASSERT_EQ(unlink((kPins + "/maps/ep_limiter").c_str()), 0); }, "is not pinned",
            false);
}

TEST_F(Adoption, OtherObjectsLoad) {
  // Another program of the same code, another program, a map, and each of them at every name.
  auto other = Programs::load("", limits());
  ASSERT_TRUE(other.ok());
  const int wire = other->program_fd(Direction::RECEIVE, DeviceRole::kWire, true);
  spoilt_by([&] { pin_again(wire, kPrograms + "/ep_rx_wire"); }, "not those");
  spoilt_by([&] { pin_again(wire, kPrograms + "/ep_tx"); }, "not those");
  spoilt_by([&] { pin_again(other->shared_fd(SharedMap::kOwnDrops), kPrograms + "/ep_tx"); },
            "is not a program");
  spoilt_by([&] { pin_again(other->shared_fd(SharedMap::kOwnDrops), kPrograms + "/ep_own_drops"); },
            "not those");
  spoilt_by([&] { pin_again(wire, kPrograms + "/ep_own_drops"); }, "not those");
  spoilt_by([&] { pin_again(other->shared_fd(SharedMap::kOwnDrops), kPrograms + "/ep_loaded"); },
            "another build");
  spoilt_by([&] { ASSERT_EQ(bpf_obj_pin(wire, (kPrograms + "/more").c_str()), 0); }, "other files");
}

TEST_F(Adoption, MapsOfAnotherLoadAreNotMixed) {
  auto other = Programs::load("", limits());
  ASSERT_TRUE(other.ok());
  for (const auto id : {MapId::kTables, MapId::kPeerMeta})
    spoilt_by([&] { pin_again(other->map_fd(id), pinned_map_path(kPins, map_name(id))); },
              "not those", false);
}

// What is written there names the objects of the kernel: those of another build are others.
TEST_F(Adoption, AnotherBuildLoads) {
  spoilt_by(
      [] {
        const auto path = kPrograms + "/ep_loaded";
        const UniqueFd map(bpf_obj_get(path.c_str()));
        bpf_map_info info{};
        __u32 size = sizeof(info);
        ASSERT_EQ(bpf_obj_get_info_by_fd(map.get(), &info, &size), 0);
        std::vector<char> value(info.value_size);
        const __u32 zero = 0;
        ASSERT_EQ(bpf_map_lookup_elem(map.get(), &zero, value.data()), 0);
        EXPECT_NE(bpf_map_update_elem(map.get(), &zero, value.data(), BPF_ANY), 0) << "not frozen";
        value[3] ^= 1;
        const UniqueFd copy(
            bpf_map_create(BPF_MAP_TYPE_ARRAY, "ep_loaded", 4, info.value_size, 1, nullptr));
        ASSERT_EQ(bpf_map_update_elem(copy.get(), &zero, value.data(), BPF_ANY), 0);
        pin_again(copy.get(), path);
      },
      "another build");
}

TEST_F(Adoption, OthersMayNotHaveTouchedThem) {
  spoilt_by([] { ASSERT_EQ(chown((kPrograms + "/ep_tx").c_str(), 1000, 0), 0); }, "this user only");
  spoilt_by([] { ASSERT_EQ(chmod((kPrograms + "/ep_tx").c_str(), 0666), 0); }, "this user only");
  spoilt_by([] { ASSERT_EQ(chown(kPrograms.c_str(), 1000, 0), 0); }, "this user only");
  spoilt_by([] { ASSERT_EQ(chmod(kPrograms.c_str(), 0777), 0); }, "this user only");
  spoilt_by(
      [] {
        ASSERT_EQ(rename((kPrograms + "/ep_tx").c_str(), (kPins + "/elsewhere").c_str()), 0);
        ASSERT_EQ(symlink((kPins + "/elsewhere").c_str(), (kPrograms + "/ep_tx").c_str()), 0);
      },
      "this user only");
  ASSERT_EQ(unlink((kPins + "/elsewhere").c_str()), 0);
  spoilt_by(
      [] {
        std::filesystem::remove_all(kPrograms);
        const auto other = Programs::load("", limits());
        ASSERT_EQ(bpf_obj_pin(other->shared_fd(SharedMap::kOwnDrops), kPrograms.c_str()), 0);
      },
      "this user only");
}

// What cannot be put away is no reason not to start: the programs are loaded, and not pinned.
TEST_F(Adoption, PinsThatCannotBeReplacedAreLeftOut) {
  const auto first = start();
  ASSERT_EQ(mkdir((kPrograms + "/folder").c_str(), 0700), 0);
  ASSERT_EQ(mkdir((kPrograms + "/folder/in").c_str(), 0700), 0);
  auto second = Programs::load(kPins, limits());
  ASSERT_TRUE(second.ok()) << second.error().message;
  expect_loaded(*second, "other files");
  EXPECT_NE(second->use().problem, "");
  EXPECT_TRUE(second->adopted());
  std::filesystem::remove_all(kPrograms);
  EXPECT_EQ(second->restore_pins(kPins), 0U) << "they never were there";
}

TEST_F(Adoption, PutsBackWhatSomebodyUnpinned) {
  (void)start();
  const auto programs = start();
  expect_adopted(programs);
  ASSERT_EQ(unlink((kPrograms + "/ep_tx").c_str()), 0);
  EXPECT_EQ(programs.restore_pins(kPins), 1U);
  EXPECT_EQ(programs.restore_pins(kPins), 0U);
  std::filesystem::remove_all(kPins);
  EXPECT_EQ(programs.restore_pins(kPins), kMapCount + 8 + kSharedMapCount + 1);
  const auto next = start();
  expect_adopted(next);
  EXPECT_EQ(ids(next), ids(programs));
}

// Programs that were verified without CAP_PERFMON are slower: with it they are loaded again.
TEST_F(Adoption, OtherCapabilitiesLoad) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    cap_t caps = cap_init();
    const std::array<cap_value_t, 2> keep{CAP_BPF, CAP_NET_ADMIN};
    cap_set_flag(caps, CAP_PERMITTED, keep.size(), keep.data(), CAP_SET);
    cap_set_flag(caps, CAP_EFFECTIVE, keep.size(), keep.data(), CAP_SET);
    if (cap_set_proc(caps) != 0) _exit(3);
    expect_loaded(start(), "no programs were pinned");
    expect_adopted(start());  // these two capabilities suffice for that, too
    _exit(HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  expect_loaded(start(), "another configuration");
  expect_adopted(start());
}

TEST_F(Adoption, DetachRemovesThem) {
  (void)start();
  ASSERT_TRUE(detach_all(kPins, "/nonexistent").ok());
  EXPECT_FALSE(std::filesystem::exists(kPins));
  expect_loaded(start(), "no programs were pinned");
}

}  // namespace
}  // namespace espial
