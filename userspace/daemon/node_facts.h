// SPDX-License-Identifier: Apache-2.0
// NodeFacts: what the node is told: by the kernel, charon, OpenSVC, the firewall's rules, large
// packets on their way to the peers, and by what an earlier run has saved. A source that goes is
// logged once, and once when it comes back; what it said last stands.
//
// Owned by Node; the event loop's thread, its network namespace. What reads slowly has a thread of
// its own behind this.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/watch/firewall_follow.h"
#include "daemon/watch/path_mtu_watch.h"
#include "model/config.h"
#include "model/facts/facts.h"
#include "model/facts/opensvc.h"
#include "model/facts/vici.h"
#include "model/mesh.h"
#include "model/snapshot.h"
#include "model/topology.h"
#include "sources/netlink/kernel_watch.h"
#include "sources/opensvc/opensvc_watch.h"
#include "sources/state/saved_topology.h"
#include "sources/vici/vici_watch.h"

namespace espial {

class NodeFacts {
 public:
  // Opened by who starts the node: watch before the first dump, so that nothing falls between.
  struct Opened {
    KernelWatch watch;
    KernelFacts kernel;
    ViciWatch vici;
  };
  NodeFacts(Opened opened, const std::string& state_dir);
  NodeFacts(const NodeFacts&) = delete;
  NodeFacts& operator=(const NodeFacts&) = delete;

  // What was saved, and what OpenSVC says. strict: an optional source that cannot start is an
  // error.
  Status begin(const Config& config, bool strict);
  // After a reload: another choice of charon's socket, and a saved topology that somebody edited.
  void reload(const Config& config);

  // Descriptors that wake the loop; -1: none.
  [[nodiscard]] int kernel_events() const { return watch_.fd(); }
  [[nodiscard]] int charon_events() const { return vici_.fd(); }
  [[nodiscard]] int opensvc_events() const { return opensvc_ ? opensvc_->fd() : -1; }

  // Takes the kernel's events. True: links or addresses changed, and have been read; the rest waits
  // for settle().
  bool on_kernel_events();
  [[nodiscard]] bool unsettled() const { return pending_.any(); }
  // Reads what changed; what that was. Nothing: it cannot be read now, and waits.
  std::optional<Changes> settle();
  void states_changed() { pending_.states = true; }
  // The states' counters and lifetimes, which move without an event.
  void refresh_states();

  void on_charon_events();
  // Begins a look at charon when one is due.
  void ask_charon();
  // Takes what OpenSVC says. True: it is another thing than before.
  bool on_opensvc();
  // Once a second. True: the firewall's rules are others.
  bool tick();
  // Once a second.
  void follow_path_mtu(const ConfigVerify& config, const Topology& topology);

  // Policies, SAs and routes as they are known now, against the topology.
  MeshAudit audit(const Topology& topology);
  // The topology is the next daemon's saved one, unless nothing is to be learnt.
  void save(const Topology& topology, const Config& config);
  // Logs those that were not there at the last call.
  void log_findings(std::vector<std::string> findings);

  [[nodiscard]] const KernelFacts& kernel() const { return kernel_; }
  [[nodiscard]] const OpensvcFacts& cluster() const { return cluster_; }
  [[nodiscard]] const Topology& saved() const { return saved_; }
  [[nodiscard]] const ViciFacts& charon() const { return vici_.facts(); }
  [[nodiscard]] std::vector<IkeTrouble> ike_troubles() const { return vici_.troubles(); }
  [[nodiscard]] const PathMtuWatch& path_mtu() const { return path_mtu_; }

  [[nodiscard]] SourceStatus firewall_source() const { return firewall_.source(); }
  [[nodiscard]] SourceStatus saved_source() const;
  [[nodiscard]] SourceStatus xfrm_source() const;
  // Nothing: there is none, or nobody expects one.
  [[nodiscard]] std::optional<SourceStatus> charon_source(const Config& config) const;
  [[nodiscard]] std::optional<SourceStatus> opensvc_source() const;

 private:
  Status start_opensvc(const Config& config, bool strict);
  void log_charon();

  KernelWatch watch_;
  KernelFacts kernel_;
  Changes pending_;
  OpensvcFacts cluster_;
  std::optional<OpensvcWatch> opensvc_;
  ViciWatch vici_;
  bool charon_readable_ = false;  // as logged last
  bool charon_seen_ = false;      // has it ever answered?
  FirewallFollow firewall_;
  PathMtuWatch path_mtu_;
  SavedTopology saved_file_;
  Topology saved_;
  std::string saved_problem_;
  std::vector<std::string> logged_findings_;
};

}  // namespace espial
