// SPDX-License-Identifier: Apache-2.0
#include "kernel/counters/drop_reasons.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

namespace espial {
namespace {

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};

}  // namespace

Result<std::map<std::uint32_t, std::string>> kernel_drop_reasons() {
  constexpr std::string_view kPrefix = "SKB_DROP_REASON_";
  const std::unique_ptr<btf, FreeBtf> types(btf__load_vmlinux_btf());
  if (!types) return Error{std::string("kernel BTF: read: ") + std::strerror(errno)};
  const auto id = btf__find_by_name_kind(types.get(), "skb_drop_reason", BTF_KIND_ENUM);
  if (id < 0) return Error{"this kernel does not report drop reasons (needs Linux 5.17)"};
  const btf_type* type = btf__type_by_id(types.get(), static_cast<__u32>(id));
  std::map<std::uint32_t, std::string> names;
  const struct btf_enum* values = btf_enum(type);
  for (std::uint32_t i = 0; i < btf_vlen(type); ++i) {
    const std::string_view name = btf__name_by_offset(types.get(), values[i].name_off);
    if (name.substr(0, kPrefix.size()) != kPrefix) continue;
    names.emplace(static_cast<std::uint32_t>(values[i].val), name.substr(kPrefix.size()));
  }
  return names;
}

}  // namespace espial
