// SPDX-License-Identifier: Apache-2.0
// A mesh of 1,000 peers and both families in the running kernel's SPD and SAD (where the kernel has
// ESP), in a network namespace of its own: what reading, learning and auditing it cost, and that a
// storm of changes is read once. Where the kernel has no ESP a dump of the SAs is replayed, made as
// the kernel makes it; where it has, that replay is compared with the kernel's own. Needs root and
// iproute2.
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "diagnose/audit/mesh_audit.h"
#include "model/learn/learn.h"
#include "netns/ip_batch.h"
#include "netns/sa_dump.h"
#include "sources/netlink/kernel_watch.h"

namespace espial {
namespace {

using namespace test;

constexpr double kGoalMs = 100;
// In yardsticks, which a slow or busy machine stretches as it does what is measured.
constexpr double kMostYards = 40;

double cpu_ms() {
  timespec spent{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);  // with what the kernel spends on the dumps
  return static_cast<double>(spent.tv_sec) * 1e3 + static_cast<double>(spent.tv_nsec) / 1e6;
}

// Fixed work of the kind that reading and judging are: text, allocations, ordered look-ups.
double yardstick_ms() {
  const double before = cpu_ms();
  std::map<std::string, int> words;
  for (unsigned i = 0; i < 10'000; ++i)
    words.emplace("10.101." + std::to_string(i * 2654435761U), static_cast<int>(i));
  EXPECT_EQ(words.size(), 10'000u);
  return cpu_ms() - before;
}

long resident_kib() {
  long size = 0;
  long pages = 0;
  std::ifstream("/proc/self/statm") >> size >> pages;
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

std::string backend(int peer, bool six) {
  if (!six)
    return "10.20" + std::to_string(peer / 250) + "." + std::to_string(peer % 250) + ".0/24";
  char text[32];
  std::snprintf(text, sizeof text, "fd00:200:%x::/64", peer + 1);
  return text;
}

std::string policies(int peer, const std::string& verb) {
  std::string batch;
  for (const bool six : {false, true}) {
    const std::string own = six ? "fd00:101:1::/64" : "10.101.1.0/24";
    const std::string theirs = backend(peer, six);
    const auto line = [&](const std::string& from, const std::string& to, const char* direction,
                          const std::string& source, const std::string& destination) {
      batch += "xfrm policy " + verb + " src " + from + " dst " + to + " dir " + direction +
               " priority 375423 tmpl src " + source + " dst " + destination + " proto esp reqid " +
               std::to_string(peer * 2 + (six ? 2 : 1)) + " mode tunnel\n";
    };
    line(own, theirs, "out", "10.46.255.1", underlay(peer));
    line(theirs, own, "in", underlay(peer), "10.46.255.1");
    line(theirs, own, "fwd", underlay(peer), "10.46.255.1");
  }
  return batch;
}

std::string states(int peer) {
  std::string batch;
  for (int i = 0; i < kStatesPerPeer; ++i) {
    const auto ends = ends_of(peer, i);
    batch += "xfrm state add src " + ends.from + " dst " + ends.to + " proto esp spi " +
             std::to_string(ends.spi) + " reqid " + std::to_string(ends.reqid) +
             " mode tunnel aead rfc4106(gcm(aes)) 0x" + std::string(40, '1') + " 128\n";
  }
  return batch;
}

// What an SA is, without when it was made.
std::vector<std::string> identities(const std::vector<XfrmStateFact>& states) {
  std::vector<std::string> out;
  for (const auto& s : states)
    out.push_back(std::to_string(s.spi) + " " + s.source.text() + " " + s.destination.text() + " " +
                  std::to_string(s.reqid) + " " + s.algorithm + " " +
                  std::to_string(s.protocol + 1000 * int{s.tunnel_mode} + 2000 * int{s.keyless}) +
                  " " + std::to_string(s.hard.packets) + " " + std::to_string(s.sequence_sent));
  std::sort(out.begin(), out.end());
  return out;
}

// Has this kernel ESP (CONFIG_INET_ESP, CONFIG_INET6_ESP is not asked: the underlay is IPv4)?
bool has_esp() {
  // iproute2 says on stderr what the kernel lacks.
  if (!ip(states(kPeers), "2>/dev/null ip")) return false;
  return ip("xfrm state flush\n");
}

// One namespace for all tests: each leaves the mesh as it was read.
class MeshScale : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (unshare(CLONE_NEWNET) != 0) return;
    esp_ = has_esp();
    std::string batch =
        "link set lo up\n"
        "link add up0 type veth peer name up1\nlink set up0 up\nlink set up1 up\n"
        "link add obr0 type bridge\nlink set obr0 up\n"
        "addr add 10.46.255.1/16 dev up0\naddr add 10.101.1.1/24 dev obr0\n"
        "addr add fd00:101:1::1/64 dev obr0 nodad\n";
    for (int peer = 0; peer < kPeers; ++peer) {
      for (const bool six : {false, true})
        batch += "route add " + backend(peer, six) +
                 (six ? std::string(" dev up0") : " via " + underlay(peer)) + "\n";
      batch += policies(peer, "add");
      if (esp_) batch += states(peer);
    }
    built_ = ip(batch);
  }
  void SetUp() override { ASSERT_TRUE(built_) << "needs root, iproute2 and XFRM"; }

  static MeshAudit audit(const KernelFacts& facts) {
    return audit_mesh({merge_topology(Config{}, facts, Topology{}, OpensvcFacts{}),
                       facts,
                       static_cast<std::uint64_t>(time(nullptr)),
                       {},
                       {}});
  }

  static inline bool esp_ = false;
  static inline bool built_ = false;
};

// An emulated CPU says nothing in milliseconds, and takes its time.
bool emulated() { return std::getenv("ESPIAL_EMULATED") != nullptr; }

TEST_F(MeshScale, ReadingAndAuditingAThousandPeers) {
  auto watch = KernelWatch::open();
  ASSERT_TRUE(watch.ok()) << watch.error().message;
  auto facts = watch->read();
  ASSERT_TRUE(facts.ok()) << facts.error().message;
  ASSERT_TRUE(facts->xfrm_readable) << facts->xfrm_reason;
  ASSERT_EQ(facts->policies.size(), std::size_t{kPeers} * kPoliciesPerPeer);
  ASSERT_EQ(facts->states.size(), esp_ ? std::size_t{kPeers} * kStatesPerPeer : 0);
  // The median of some: the first grows the heap.
  std::vector<double> dumps;
  std::vector<double> audits;
  std::vector<double> yards;
  long resident = 0;
  const int rounds = emulated() ? 5 : 20;
  for (int round = 0; round < rounds; ++round) {
    const double before = cpu_ms();
    watch->read_xfrm(*facts);
    const double read = cpu_ms();
    const auto judged = audit(*facts);
    const double done = cpu_ms();
    dumps.push_back(read - before);
    audits.push_back(done - read);
    yards.push_back((done - before) / yardstick_ms());
    ASSERT_EQ(judged.peers.size(), std::size_t{kPeers});
    for (const auto& peer : judged.peers) {
      ASSERT_EQ(peer.pairs.size(), 2u) << peer.peer;
      // Without ESP in the kernel no SA can be there: a trap that holds everything back.
      ASSERT_EQ(peer.verdict, esp_ ? PairVerdict::kProtected : PairVerdict::kFailClosed)
          << peer.peer << ": " << peer.pairs.front().findings.front().evidence;
    }
    if (round == rounds / 4) resident = resident_kib();
  }
  const long grown = resident_kib() - resident;
  std::sort(dumps.begin(), dumps.end());
  std::sort(audits.begin(), audits.end());
  std::sort(yards.begin(), yards.end());
  const double dump = dumps[dumps.size() / 2];
  const double judge = audits[audits.size() / 2];
  std::printf(
      "%d peers, %zu policies, %zu SAs: dump %.1f ms CPU, learn and audit %.1f ms CPU, "
      "together %.1f (goal %.0f), %.1f yardsticks; memory after %d more rounds %+ld KiB\n",
      kPeers, facts->policies.size(), facts->states.size(), dump, judge, dump + judge, kGoalMs,
      yards[yards.size() / 2], rounds - rounds / 4 - 1, grown);
  EXPECT_LT(grown, 1024);
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__)
  if (!emulated()) {
    EXPECT_LT(yards[yards.size() / 2], kMostYards);
  }
#endif
}

// With its SAs, where the kernel has no ESP: everything but the kernel's own part of their dump.
TEST_F(MeshScale, FourThousandSasAreReadAndAudited) {
  auto watch = KernelWatch::open();
  ASSERT_TRUE(watch.ok()) << watch.error().message;
  auto facts = watch->read();
  ASSERT_TRUE(facts.ok()) << facts.error().message;
  const auto dump = state_dump();
  Datagram buffer;
  if (esp_) {
    const auto kernels = identities(facts->states);
    replay(dump, buffer, *facts);
    ASSERT_EQ(identities(facts->states), kernels) << "the replay is not what the kernel tells";
  }
  std::vector<double> reads;
  std::vector<double> whole;
  std::vector<double> yards;
  long resident = 0;
  const int rounds = emulated() ? 4 : 100;
  for (int round = 0; round < rounds; ++round) {
    const double before = cpu_ms();
    watch->read_xfrm(*facts);
    replay(dump, buffer, *facts);
    const double read = cpu_ms();
    const auto judged = audit(*facts);
    whole.push_back(cpu_ms() - before);
    yards.push_back(whole.back() / yardstick_ms());
    reads.push_back(read - before);
    ASSERT_EQ(facts->states.size(), std::size_t{kPeers} * kStatesPerPeer);
    ASSERT_TRUE(std::all_of(judged.peers.begin(), judged.peers.end(), [](const auto& peer) {
      return peer.verdict == PairVerdict::kProtected;
    })) << "a healthy mesh";
    if (round == rounds / 4) resident = resident_kib();
  }
  const long grown = resident_kib() - resident;
  std::sort(reads.begin(), reads.end());
  std::sort(whole.begin(), whole.end());
  std::sort(yards.begin(), yards.end());
  std::printf(
      "%zu policies of the kernel and %zu SAs of a replayed dump (%zu datagrams): read %.1f ms "
      "CPU, "
      "with learning and audit %.1f, at worst %.1f (goal %.0f), %.1f yardsticks; memory after %d "
      "more rounds %+ld "
      "KiB\n",
      facts->policies.size(), facts->states.size(), dump.size(), reads[reads.size() / 2],
      whole[whole.size() / 2], whole.back(), kGoalMs, yards[yards.size() / 2],
      rounds - rounds / 4 - 1, grown);
  EXPECT_LT(grown, 1024);
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__)
  if (!emulated()) {
    EXPECT_LT(yards[yards.size() / 2], kMostYards);
  }
#endif
}

// A rekey of the whole mesh, or charon started again: thousands of events, a handful of dumps.
TEST_F(MeshScale, AStormOfChangesIsReadOnce) {
  auto watch = KernelWatch::open();
  ASSERT_TRUE(watch.ok()) << watch.error().message;
  auto facts = watch->read();
  ASSERT_TRUE(facts.ok()) << facts.error().message;
  std::string batch;
  for (int peer = 0; peer < kPeers; ++peer) batch += policies(peer, "update");
  batch += "xfrm policy delete src 10.101.1.0/24 dst " + backend(7, false) + " dir out\n";
  ASSERT_TRUE(ip(batch));
  int drains = 0;
  Changes all;
  for (; drains < 1000; ++drains) {
    const auto changes = watch->drain();
    ASSERT_TRUE(changes.ok()) << changes.error().message;
    if (!changes->any()) break;
    all.policies = all.policies || changes->policies;
  }
  EXPECT_TRUE(all.policies);
  ASSERT_TRUE(watch->refresh(all, *facts).ok());
  EXPECT_EQ(facts->policies.size(), std::size_t{kPeers} * kPoliciesPerPeer - 1);
  std::printf("%d events taken in %d drains, overruns: %lu, one dump\n",
              kPeers * kPoliciesPerPeer + 1, drains, static_cast<unsigned long>(watch->overruns()));
  const auto judged = audit(*facts);
  const auto bad = std::count_if(judged.peers.begin(), judged.peers.end(), [](const auto& peer) {
    return peer.verdict == PairVerdict::kExposed;
  });
  EXPECT_EQ(bad, 1);
  EXPECT_TRUE(ip(policies(7, "update")));
}

}  // namespace
}  // namespace espial
