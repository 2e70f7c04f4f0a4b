// SPDX-License-Identifier: Apache-2.0
// Rule sets by chance, the same for the same seed, over the addresses, ports and devices that the
// probes of forwarding_world.h use, so that many of their matches hold.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>

namespace espial::test {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  // 0 .. below - 1
  unsigned roll(unsigned below) { return static_cast<unsigned>(engine_() % below); }
  bool one_in(unsigned n) { return roll(n) == 0; }
  std::string pick(std::initializer_list<const char*> words) {
    return *(words.begin() + roll(static_cast<unsigned>(words.size())));
  }

 private:
  std::mt19937_64 engine_;
};

// For `nft -f`.
std::string random_nft(Dice& dice);
// For iptables-restore, or ip6tables-restore: whole tables, which replace what was there.
std::string random_iptables(Dice& dice, bool ipv6);

// Addresses that probes come from and go to, and prefixes around them.
std::string random_address(Dice& dice, bool ipv6, bool source);
std::string random_port(Dice& dice);

}  // namespace espial::test
