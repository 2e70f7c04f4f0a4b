// SPDX-License-Identifier: Apache-2.0
// Engine: judges captured frames one by one, in the kernel or by the same parser on the host.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "capture/capture.h"
#include "kernel/table.h"
#include "model/words.h"

namespace espial {

struct Judgement {
  Class klass = Class::OTHER;
  Outcome outcome = Outcome::OK;
  std::uint32_t peer = 0;  // index of the table, 0 = none
  bool by_kernel = false;  // judged by the loaded program; else by its parser compiled for the host
  bool counted = true;     // false: a VLAN that another program counts
};

struct Engine {
  std::string name;  // "kernel" or "host"
  std::function<Result<Judgement>(const CapturedFrame&, Direction)> judge;
};

// The parser and the judge of the BPF programs, compiled for the host. Needs no privilege.
Result<Engine> host_engine(const TableSpec& table);
// The BPF programs themselves, through BPF_PROG_TEST_RUN. Frames that a test run cannot take (cut
// by the capture, shorter or longer than the kernel accepts) go to the host's parser. Error: no
// CAP_BPF, or the programs do not load.
Result<Engine> kernel_engine(const TableSpec& table);

}  // namespace espial
