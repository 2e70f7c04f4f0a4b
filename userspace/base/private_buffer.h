// SPDX-License-Identifier: Apache-2.0
// PrivateBuffer: memory for what may hold secrets on its way: keys in XFRM answers, the parts of a
// cluster.conf that nobody asked for. On pages of its own that no core dump contains and no child
// inherits; wiped before they go back. Move-only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace espial {

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

}  // namespace espial
