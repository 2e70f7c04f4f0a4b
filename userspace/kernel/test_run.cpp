// SPDX-License-Identifier: Apache-2.0
#include "kernel/test_run.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "hash.h"
#include "kernel/prefix_key.h"

namespace espial {
namespace {

struct Run {
  __sk_buff context{};
  std::uint32_t nanoseconds = 0;
  int action = 0;
};

Result<Run> run_program(int program_fd, const TestFrame& frame, std::uint32_t repeat) {
  __sk_buff in{};
  in.gso_size = frame.gso_size;
  in.gso_segs = frame.gso_segs;
  Run run;
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.bytes.data();
  options.data_size_in = static_cast<__u32>(frame.bytes.size());
  options.ctx_in = &in;
  options.ctx_size_in = sizeof(in);
  options.ctx_out = &run.context;
  options.ctx_size_out = sizeof(run.context);
  options.repeat = static_cast<int>(repeat);
  if (bpf_prog_test_run_opts(program_fd, &options) != 0)
    return Error{
        fmt::format("test run of a {}-byte frame: {}", frame.bytes.size(), std::strerror(errno))};
  run.nanoseconds = options.duration;
  run.action = static_cast<int>(options.retval);
  return run;
}

}  // namespace

Result<TestRun> TestRun::open(const TableSpec& table, std::uint32_t max_peers, Verdicts verdicts) {
  ProgramLimits limits;
  limits.max_peers = max_peers;
  limits.max_subnets = max_peers * 4;
  limits.flow_events_per_second = 0;
  limits.report = verdicts == Verdicts::kYes;
  limits.xdp = true;
  EP_ASSIGN(programs, Programs::load("", limits));
  EP_ASSIGN(left_out, programs.set_table(table));
  if (!left_out.empty()) return Error{"test run: " + left_out.front()};
  return TestRun(std::move(programs));
}

bool TestRun::accepts(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t kLinkHeader = 14;
  constexpr std::size_t kLongest = 3000;
  if (bytes.size() <= kLinkHeader || bytes.size() > kLongest) return false;
  const unsigned type = static_cast<unsigned>(bytes[12] << 8 | bytes[13]);
  if (type == 0x0800) return bytes.size() >= kLinkHeader + 20;
  if (type == 0x86dd) return bytes.size() >= kLinkHeader + 40;
  return true;
}

Status TestRun::set_sas(const std::vector<std::pair<IpAddress, std::uint32_t>>& sas) const {
  const int map = programs_.shared_fd(SharedMap::kSas);
  const ep_sa_gone_t here = 0;
  const ep_sa_key none_is_missing{};
  const int map_of_index = programs_.shared_fd(SharedMap::kSaIndex);
  const auto buckets = sa_buckets_of(programs_.limits());
  const auto index = [&](const ep_sa_key& key) {
    const auto fingerprint = ep_hash_sa(key.hi, key.lo, key.spi);
    const auto place = ep_sa_bucket_of(fingerprint, buckets);
    ep_sa_bucket bucket{};
    if (bpf_map_lookup_elem(map_of_index, &place, &bucket) != 0) return false;
    const auto free = std::find(std::begin(bucket.sas), std::end(bucket.sas), 0U);
    if (free != std::end(bucket.sas)) *free = fingerprint;
    return bpf_map_update_elem(map_of_index, &place, &bucket, BPF_ANY) == 0;
  };
  bool written = bpf_map_update_elem(map, &none_is_missing, &here, BPF_ANY) == 0;
  for (const auto& [destination, spi] : sas) {
    const auto address = key_of(destination);
    const ep_sa_key key{address.hi, address.lo, spi, 0};
    written = written && bpf_map_update_elem(map, &key, &here, BPF_ANY) == 0 && index(key);
  }
  if (!written) return Error{fmt::format("test run: write SAs: {}", std::strerror(errno))};
  return Ok{};
}

Result<TestVerdict> TestRun::run(const TestFrame& frame) const {
  const int fd = programs_.program_fd(frame.direction, frame.role, frame.ethernet);
  EP_ASSIGN(done, run_program(fd, frame, 1));
  const auto& cb = done.context.cb;
  if ((cb[EP_REPORT_FLAGS] & EP_REPORT_SEEN) == 0 || cb[EP_REPORT_CLASS] >= EP_CLASS_COUNT ||
      cb[EP_REPORT_OUTCOME] >= EP_OUTCOME_COUNT)
    return Error{"test run: the program left no verdict"};
  return TestVerdict{static_cast<Class>(cb[EP_REPORT_CLASS]),
                     static_cast<Outcome>(cb[EP_REPORT_OUTCOME]),
                     cb[EP_REPORT_PEER],
                     (cb[EP_REPORT_FLAGS] & EP_REPORT_SKIPPED) != 0,
                     (cb[EP_REPORT_FLAGS] & EP_REPORT_DROPPED) != 0,
                     (cb[EP_REPORT_FLAGS] & EP_REPORT_WOULD_DROP) != 0};
}

Result<bool> TestRun::drops(const TestFrame& frame) const {
  const int fd = programs_.program_fd(frame.direction, frame.role, frame.ethernet);
  EP_ASSIGN(done, run_program(fd, frame, 1));
  if (done.action != TC_ACT_SHOT && done.action != TC_ACT_UNSPEC)
    return Error{fmt::format("test run: the program returned {}", done.action)};
  return done.action == TC_ACT_SHOT;
}

Result<bool> TestRun::drops_early(std::span<const std::uint8_t> bytes) const {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = bytes.data();
  options.data_size_in = static_cast<__u32>(bytes.size());
  options.repeat = 1;
  if (bpf_prog_test_run_opts(programs_.xdp_fd(), &options) != 0)
    return Error{
        fmt::format("XDP test run of a {}-byte frame: {}", bytes.size(), std::strerror(errno))};
  if (options.retval != XDP_DROP && options.retval != XDP_PASS)
    return Error{fmt::format("XDP test run: the program returned {}", options.retval)};
  return options.retval == XDP_DROP;
}

Result<std::uint32_t> TestRun::time(const TestFrame& frame, std::uint32_t repeat) const {
  return time_program(programs_.program_fd(frame.direction, frame.role, frame.ethernet), frame,
                      repeat);
}

Result<std::uint32_t> time_program(int program_fd, const TestFrame& frame, std::uint32_t repeat) {
  EP_ASSIGN(done, run_program(program_fd, frame, repeat));
  return done.nanoseconds;
}

}  // namespace espial
