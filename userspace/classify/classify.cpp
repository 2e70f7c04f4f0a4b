// SPDX-License-Identifier: Apache-2.0
#include "classify/classify.h"

#include <ostream>

#include "classify/classify_tally.h"
#include "classify/judgement.h"
#include "cli/terminal/report.h"

namespace espial {
namespace {

Result<Engine> start_engine(const std::string& wanted, const TableSpec& table) {
  if (wanted == "host") return host_engine(table);
  auto engine = kernel_engine(table);
  if (wanted == "kernel" || engine.ok()) return engine;
  return host_engine(table);
}

struct Judged {
  Judgement judgement;
  Direction direction;
};

// With no direction given, the one that makes a pair of this node and a peer; else receive.
Result<Judged> judge(const Engine& engine, const CapturedFrame& frame,
                     const std::optional<Direction>& direction) {
  const Direction first = direction.value_or(Direction::RECEIVE);
  EP_ASSIGN(judgement, engine.judge(frame, first));
  if (direction || judgement.peer != 0) return Judged{judgement, first};
  EP_ASSIGN(outward, engine.judge(frame, Direction::TRANSMIT));
  if (outward.peer != 0) return Judged{outward, Direction::TRANSMIT};
  return Judged{judgement, first};
}

Status read_capture(const std::string& path, const Engine& engine,
                    const ClassifyArguments& arguments, ClassifyTally& tally) {
  EP_ASSIGN(reader, CaptureReader::open(path));
  tally.files.push_back(path);
  const auto where = arguments.captured_on_wire ? CapturedOn::kWire : CapturedOn::kHost;
  while (true) {
    EP_ASSIGN(frame, reader.next());
    if (!frame) return Ok{};
    EP_ASSIGN(judged, judge(engine, *frame, arguments.direction));
    tally.add(judged.judgement, judged.direction, where);
    if (frame->cut()) ++tally.cut;
    if (engine.name == "kernel" && !judged.judgement.by_kernel) ++tally.on_host;
  }
}

}  // namespace

Result<int> classify_command(const ClassifyArguments& arguments, Console& console) {
  const ClassifyTable table = classify_table(arguments.config);
  EP_ASSIGN(engine, start_engine(arguments.engine, table.spec));
  ClassifyTally tally;
  Status done = Ok{};
  for (const auto& path : arguments.captures) {
    done = read_capture(path, engine, arguments, tally);
    if (!done.ok()) break;
  }
  if (!done.ok() && tally.packets == 0) return std::move(done).error();
  const ClassifyHeading heading{
      engine.name, arguments.captured_on_wire ? "wire" : "host",
      arguments.direction ? std::string(to_string(*arguments.direction)) : "auto"};
  if (arguments.json)
    console.out << classify_json(tally, heading, table.names).dump(2) << '\n';
  else
    console.out << classify_text(tally, heading, table.names, console.style);
  if (!done.ok()) return std::move(done).error();
  return tally.unprotected() ? kExitBad : kExitGood;
}

}  // namespace espial
