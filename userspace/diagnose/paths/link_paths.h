// SPDX-License-Identifier: Apache-2.0
// LinkPaths: the hooks below IP that the packets of a path cross (link_way.h), as paths of their
// own. Pure. What was decrypted enters only the device again that its ESP was delivered to.
#pragma once

#include <vector>

#include "diagnose/paths/backend_paths.h"
#include "diagnose/paths/link_way.h"
#include "model/devices/device_graph.h"

namespace espial {

class LinkPaths {
 public:
  // Both outlive it.
  LinkPaths(const Topology& topology, const KernelFacts& facts);

  // Those of each path. An unknown port has no name.
  [[nodiscard]] std::vector<BackendPath> below(const std::vector<BackendPath>& paths) const;

 private:
  // Who sends to the device, or gets what it sends: a pod's address or the other nodes.
  struct Far {
    const BackendPath& path;
    std::optional<IpAddress> pod;
  };

  // far must outlive it.
  [[nodiscard]] LinkWay way(const Far& far) const;
  void up(const LinkFact& device, const Far& far, std::vector<BackendPath>& out) const;
  void down(const LinkFact& device, const Far& far, std::vector<BackendPath>& out) const;
  void pods_receive(const BackendPath& path, std::vector<BackendPath>& out) const;
  [[nodiscard]] const LinkFact* port(const LinkFact& bridge, const Far& far) const;
  [[nodiscard]] const LinkFact* named(const std::optional<std::string>& name) const;

  const KernelFacts& facts_;
  DeviceGraph graph_;
};

}  // namespace espial
