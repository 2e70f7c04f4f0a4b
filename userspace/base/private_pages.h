// SPDX-License-Identifier: Apache-2.0
// Pages for what may hold secrets on its way: no core dump contains them and no child inherits them
// (MADV_DONTDUMP, MADV_WIPEONFORK), and they are wiped before they go back.
#pragma once

#include <cstddef>

namespace espial {

// At least size bytes, zero; throws std::bad_alloc without memory. size 0: a null pointer.
void* take_private_pages(std::size_t size);
// What take_private_pages(size) returned.
void release_private_pages(void* pages, std::size_t size) noexcept;

}  // namespace espial
