// SPDX-License-Identifier: Apache-2.0
#include "base/private_pages.h"

#include <string.h>
#include <sys/mman.h>

#include <new>

namespace espial {

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
