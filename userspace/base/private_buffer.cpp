// SPDX-License-Identifier: Apache-2.0
#include "base/private_buffer.h"

#include <sys/mman.h>

#include <cstring>
#include <new>
#include <utility>

namespace espial {

PrivateBuffer::PrivateBuffer(std::size_t size) : size_(size) {
  if (size == 0) return;
  void* pages = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<std::uint8_t*>(pages);
  // Both are there since 4.14; without them the pages are still wiped.
  (void)madvise(pages, size, MADV_DONTDUMP);
  (void)madvise(pages, size, MADV_WIPEONFORK);
}

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

void PrivateBuffer::release() {
  if (data_ == nullptr) return;
  explicit_bzero(data_, size_);
  munmap(data_, size_);
}

}  // namespace espial
