// SPDX-License-Identifier: Apache-2.0
// Drops: the program that counts what the kernel drops of the mesh's packets (bpf/drops.bpf.c).
//
// Observation only: it lives as long as this object, nothing of it is pinned, and without it
// everything else works. Loading needs CAP_BPF and CAP_PERFMON; reading needs neither. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernel/peers/identities.h"
#include "kernel/programs.h"
#include "model/snapshot.h"

struct drops_bpf;

namespace espial {

class Drops {
 public:
  // Loads and attaches to the network namespace of this thread. Never an error: see why(). The maps
  // of `programs` are shared, which live on without it. wanted: the ways to try, all by default.
  static Drops start(const Programs& programs, unsigned ways = ~0U);

  Drops(Drops&&) noexcept;
  Drops& operator=(Drops&&) noexcept;
  ~Drops();

  [[nodiscard]] bool running() const { return skeleton_ != nullptr; }
  // How it is attached ("tp_btf", "raw_tracepoint", "tracepoint"); empty: it is not.
  [[nodiscard]] const std::string& way() const { return way_; }
  // Why it is not, one line.
  [[nodiscard]] const std::string& why() const { return why_; }

  // Drops that were missed: they happened while the program ran on the same CPU.
  [[nodiscard]] std::uint64_t missed() const;

  // Of one index of ep_peer_stat. Only grows while the index belongs to the same peer; a peer that
  // takes an index over begins at zero.
  Result<KernelDrops> peer(std::uint32_t index, const std::string& name);

  // What peer() has seen of all peers so far, those that left included.
  [[nodiscard]] const KernelDrops& total() const { return total_; }

  // The flows that lost packets last, newest first.
  [[nodiscard]] Result<std::vector<DropRecord>> flows(const Identities& identities) const;

 private:
  Drops() = default;
  Status load(const Programs& programs, std::size_t way);
  [[nodiscard]] std::string reason_name(std::uint32_t reason) const;

  struct Destroy {
    void operator()(drops_bpf* skeleton) const;
  };
  struct Owner {
    std::string name;
    KernelDrops before;  // what the index had counted for others
    KernelDrops last;    // at the last look
  };
  std::unique_ptr<drops_bpf, Destroy> skeleton_;
  std::string way_;
  std::string why_;
  std::map<std::uint32_t, std::string> reasons_;  // the kernel's names
  std::map<std::uint32_t, Owner> owners_;         // by index
  KernelDrops total_;
};

}  // namespace espial
