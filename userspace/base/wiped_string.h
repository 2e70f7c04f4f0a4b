// SPDX-License-Identifier: Apache-2.0
// WipedString: text of unknown length that may hold a secret on its way, on private pages, those
// that it grew out of, too. Up to 15 bytes live in the object itself and are nowhere private.
#pragma once

#include <cstddef>
#include <string>

#include "base/private_pages.h"

namespace espial {

template <typename T>
struct PrivateAllocator {
  using value_type = T;

  PrivateAllocator() = default;
  template <typename U>
  explicit PrivateAllocator(const PrivateAllocator<U>& /*other*/) {}

  T* allocate(std::size_t count) { return static_cast<T*>(take_private_pages(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t count) noexcept {
    release_private_pages(memory, count * sizeof(T));
  }
  bool operator==(const PrivateAllocator& /*other*/) const { return true; }
};

using WipedString = std::basic_string<char, std::char_traits<char>, PrivateAllocator<char>>;

}  // namespace espial
