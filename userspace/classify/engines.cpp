// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "classify/judgement.h"
#include "host.h"
#include "kernel/test_run.h"

namespace espial {
namespace {

std::uint32_t peers_for(const TableSpec& table) {
  return std::max<std::uint32_t>(64, static_cast<std::uint32_t>(table.entries.size()));
}

struct HostTable {
  TableCapacity capacity;
  std::vector<std::byte> block;

  Judgement judge(const CapturedFrame& frame, Direction direction) const {
    const ep_table table{reinterpret_cast<const ep_table_head*>(block.data()), capacity.slots};
    const std::uint32_t how = (direction == Direction::TRANSMIT ? EP_HOW_TRANSMIT : 0U) |
                              (frame.link == LinkKind::kRawIp ? EP_HOW_RAW : 0U);
    ep_packet packet{};
    const auto v = ep_host_judge(
        &table, frame.bytes.data(), static_cast<std::uint32_t>(frame.bytes.size()),
        static_cast<std::uint32_t>(frame.original_length), how, 0, 0, nullptr, &packet);
    return {static_cast<Class>(v.class_), static_cast<Outcome>(packet.outcome), v.peer, false,
            (v.flags & EP_VERDICT_SKIP) == 0};
  }
};

Result<std::shared_ptr<const HostTable>> host_table(const TableSpec& spec) {
  auto table = std::make_shared<HostTable>();
  table->capacity = TableCapacity::for_peers(peers_for(spec));
  EP_ASSIGN(built, build_table(spec, table->capacity));
  table->block = std::move(built.block);
  return std::shared_ptr<const HostTable>(std::move(table));
}

}  // namespace

Result<Engine> host_engine(const TableSpec& spec) {
  EP_ASSIGN(table, host_table(spec));
  return Engine{"host",
                [table](const CapturedFrame& frame, Direction direction) -> Result<Judgement> {
                  return table->judge(frame, direction);
                }};
}

Result<Engine> kernel_engine(const TableSpec& spec) {
  EP_ASSIGN(table, host_table(spec));
  EP_ASSIGN(opened, TestRun::open(spec, peers_for(spec)));
  auto run = std::make_shared<TestRun>(std::move(opened));
  return Engine{"kernel",
                [table, run](const CapturedFrame& frame, Direction direction) -> Result<Judgement> {
                  if (frame.cut() || !TestRun::accepts(frame.bytes))
                    return table->judge(frame, direction);
                  TestFrame test;
                  test.bytes = frame.bytes;
                  test.direction = direction;
                  test.ethernet = frame.link == LinkKind::kEthernet;
                  EP_ASSIGN(v, run->run(test));
                  return Judgement{v.klass, v.outcome, v.peer, true, !v.skipped};
                }};
}

}  // namespace espial
