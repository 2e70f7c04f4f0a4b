// SPDX-License-Identifier: Apache-2.0
// WipedString: text of unknown length that may hold a secret on its way. Whatever memory it had,
// while it grew too, is wiped before it goes back; up to 15 bytes live in the object and are not.
// Where the length is known, PrivateBuffer also keeps it out of core dumps.
#pragma once

#include <string.h>

#include <cstddef>
#include <memory>
#include <string>

namespace espial {

template <typename T>
struct WipingAllocator {
  using value_type = T;

  WipingAllocator() = default;
  template <typename U>
  explicit WipingAllocator(const WipingAllocator<U>& /*other*/) {}

  T* allocate(std::size_t count) { return std::allocator<T>().allocate(count); }
  void deallocate(T* memory, std::size_t count) noexcept {
    explicit_bzero(memory, count * sizeof(T));
    std::allocator<T>().deallocate(memory, count);
  }
  bool operator==(const WipingAllocator& /*other*/) const { return true; }
};

using WipedString = std::basic_string<char, std::char_traits<char>, WipingAllocator<char>>;

}  // namespace espial
