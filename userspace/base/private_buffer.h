// SPDX-License-Identifier: Apache-2.0
// Memory for what may hold secrets on its way: pages that no core dump contains and no child
// inherits, wiped before they go back; a buffer and a string on such pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace espial {

// By MADV_DONTDUMP and MADV_WIPEONFORK. At least size bytes, zero; throws std::bad_alloc without
// memory. size 0: a null pointer.
void* take_private_pages(std::size_t size);
// What take_private_pages(size) returned.
void release_private_pages(void* pages, std::size_t size) noexcept;

// PrivateBuffer: memory for what may hold secrets on its way: keys in XFRM answers, the parts of a
// cluster.conf that nobody asked for. Move-only.
class PrivateBuffer {
 public:
  // Throws std::bad_alloc without memory, as a vector does.
  explicit PrivateBuffer(std::size_t size);
  PrivateBuffer(PrivateBuffer&& other) noexcept;
  PrivateBuffer& operator=(PrivateBuffer&& other) noexcept;
  ~PrivateBuffer();

  [[nodiscard]] std::uint8_t* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::span<std::uint8_t> first(std::size_t length) const { return {data_, length}; }
  [[nodiscard]] std::string_view text(std::size_t length) const {
    return {reinterpret_cast<const char*>(data_), length};
  }

 private:
  void release();

  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

// WipedString: text of unknown length that may hold a secret on its way, on private pages, those
// that it grew out of, too. Up to 15 bytes live in the object itself and are nowhere private.
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
