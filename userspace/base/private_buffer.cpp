// SPDX-License-Identifier: Apache-2.0
#include "base/private_buffer.h"

#include <utility>

#include "base/private_pages.h"

namespace espial {

PrivateBuffer::PrivateBuffer(std::size_t size)
    : data_(static_cast<std::uint8_t*>(take_private_pages(size))), size_(size) {}

PrivateBuffer::PrivateBuffer(PrivateBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

PrivateBuffer& PrivateBuffer::operator=(PrivateBuffer&& other) noexcept {
  if (this == &other) return *this;
  release();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

PrivateBuffer::~PrivateBuffer() { release(); }

void PrivateBuffer::release() { release_private_pages(data_, size_); }

}  // namespace espial
