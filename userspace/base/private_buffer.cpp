// SPDX-License-Identifier: Apache-2.0
#include "base/private_buffer.h"

#include <string.h>
#include <sys/mman.h>

#include <new>
#include <utility>

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

void* take_private_pages(std::size_t size) {
  if (size == 0) return nullptr;
  void* pages = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  // Both are there since 4.14; without them the pages are still wiped.
  (void)madvise(pages, size, MADV_DONTDUMP);
  (void)madvise(pages, size, MADV_WIPEONFORK);
  return pages;
}

void release_private_pages(void* pages, std::size_t size) noexcept {
  if (pages == nullptr) return;
  explicit_bzero(pages, size);
  munmap(pages, size);
}

}  // namespace espial
