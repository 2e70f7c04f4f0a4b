// SPDX-License-Identifier: Apache-2.0
// espial_packet_path: loads the packet path of the sources that it was built from and tells the ids
// of its programs, so that the bench measures those of two revisions side by side. Each line of
// input, a number of peers, loads programs and maps afresh with the table of such a mesh, and is
// answered with the ids of the two programs of a wire: "RECEIVE TRANSMIT". They stay loaded until
// the next line, or for as long as somebody holds them.
// It is compiled against older sources, too: it may use nothing but what is used here.
#include <bpf/bpf.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <optional>

#include "bench/mesh.h"
#include "kernel/test_run.h"

namespace espial::bench {
namespace {

Result<std::uint32_t> id_of(const TestRun& run, Direction direction) {
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  const int fd = run.programs().program_fd(direction, DeviceRole::kWireAndReentry, true);
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0)
    return Error{std::string("program: ") + std::strerror(errno)};
  return info.id;
}

Status answer_lines() {
  std::optional<TestRun> loaded;
  for (std::uint32_t peers = 0; std::cin >> peers;) {
    loaded.reset();
    EP_ASSIGN(run, TestRun::open(mesh(peers), peers, TestRun::Verdicts::kNo));
    EP_TRY(give_sas(run, peers));
    EP_ASSIGN(receive, id_of(run, Direction::RECEIVE));
    EP_ASSIGN(transmit, id_of(run, Direction::TRANSMIT));
    loaded.emplace(std::move(run));
    std::cout << receive << ' ' << transmit << std::endl;
  }
  return Ok{};
}

}  // namespace
}  // namespace espial::bench

int main() {
  const auto status = espial::bench::answer_lines();
  if (status.ok()) return 0;
  std::fprintf(stderr, "packet path: %s\n", status.error().message.c_str());
  return 3;
}
