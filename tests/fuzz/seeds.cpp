// SPDX-License-Identifier: Apache-2.0
// Writes the seeds of the fuzz targets: FOLDER/frame_fuzz (the corpus, one frame per file),
// FOLDER/capture_fuzz (small captures of every format and link type) and FOLDER/cluster_conf_fuzz.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "frames/capture_file.h"
#include "frames/corpus.h"

using namespace espial;
using frames::Bytes;
using frames::CaptureFile;

namespace {

bool write_file(const std::string& path, const Bytes& bytes) {
  std::ofstream out(path, std::ios::binary);
  for (const std::uint8_t b : bytes) out.put(static_cast<char>(b));
  if (out.flush()) return true;
  std::cerr << path << ": write failed\n";
  return false;
}

// Circumstances and VLAN metadata first, as frame_fuzz reads them.
Bytes frame_seed(const frames::FrameCase& c) {
  const int circumstances = (c.frame.link() == frames::LinkKind::kRaw ? 1 : 0) |
                            (c.direction == Direction::TRANSMIT ? 2 : 0) | (c.metadata_tci ? 4 : 0);
  const unsigned tci = c.metadata_tci.value_or(0);
  Bytes seed = {static_cast<std::uint8_t>(circumstances), static_cast<std::uint8_t>(tci >> 8),
                static_cast<std::uint8_t>(tci & 0xff)};
  const Bytes frame = c.frame.bytes();
  seed.insert(seed.end(), frame.begin(), frame.end());
  return seed;
}

bool write_captures(const std::string& folder) {
  int number = 0;
  for (const auto format : {CaptureFile::Format::kPcap, CaptureFile::Format::kPcapSwapped,
                            CaptureFile::Format::kPcapNano, CaptureFile::Format::kPcapng}) {
    for (const std::uint32_t link : {0U, 1U, 101U, 113U, 276U}) {
      CaptureFile file(format, link);
      file.add(Bytes(40, 0x08));
      file.add(Bytes(60, 0x45), 30);
      if (!write_file(folder + "/" + std::to_string(number++), file.bytes())) return false;
    }
  }
  return true;
}

bool write_cluster_confs(const std::string& folder) {
  const std::string texts[] = {
      "[cluster]\nsecret = x\nnodes = n1 n2 n3\n[network#b]\ntype = routed_bridge\n"
      "network = 10.101.0.0/16\nips_per_node = 256\nsubnet@n1 = 10.101.0.0/24\n"
      "addr@nodes = {nodename}.{env.z}\n[env]\nz = {clustername}\n",
      "[cluster]\nnodes: n1 \\\n n2\n[network#b6]\ntype: routed_bridge\nnetwork: fd00:101::/32\n"
      "mask_per_node: 64\ntunnel: always\n"};
  int number = 0;
  for (const auto& text : texts)
    if (!write_file(folder + "/" + std::to_string(number++), Bytes(text.begin(), text.end())))
      return false;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fuzz_seeds FOLDER\n";
    return 2;
  }
  const std::string folder = argv[1];
  for (const char* target : {"/frame_fuzz", "/capture_fuzz", "/cluster_conf_fuzz"}) {
    std::error_code error;
    std::filesystem::create_directories(folder + target, error);
    if (error) {
      std::cerr << folder << target << ": " << error.message() << "\n";
      return 3;
    }
  }
  for (const auto& c : frames::corpus()) {
    std::string name = c.name;
    std::replace(name.begin(), name.end(), '/', '-');
    if (!write_file(folder + "/frame_fuzz/" + name, frame_seed(c))) return 3;
  }
  if (!write_cluster_confs(folder + "/cluster_conf_fuzz")) return 3;
  return write_captures(folder + "/capture_fuzz") ? 0 : 3;
}
