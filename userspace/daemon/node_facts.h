// SPDX-License-Identifier: Apache-2.0
// NodeFacts: all facts about the node: from the kernel, charon, OpenSVC, the firewall's rules, path
// MTU probes, and the state that an earlier run saved. When a source fails, that is logged once,
// and once when it recovers; meanwhile its last known facts stay in use.
//
// Owned by Node; used by the event loop's thread in its network namespace. Slow sources are read by
// threads of their own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/watch/firewall_follow.h"
#include "daemon/watch/path_mtu_watch.h"
#include "model/config.h"
#include "model/facts/charon.h"
#include "model/facts/facts.h"
#include "model/facts/opensvc.h"
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
  // Opened before the node starts: events are subscribed before the first dump, so that no change
  // is missed.
  struct Opened {
    KernelWatch watch;
    KernelFacts kernel;
    ViciWatch vici;
  };
  NodeFacts(Opened opened, const std::string& state_dir);
  NodeFacts(const NodeFacts&) = delete;
  NodeFacts& operator=(const NodeFacts&) = delete;

  // Reads the saved state and OpenSVC. strict: an optional source that cannot start is an error.
  Status begin(const Config& config, bool strict);
  // After a reload: charon's socket may be another one, and the saved topology may have been
  // edited.
  void reload(const Config& config);

  // Descriptors that wake the loop; -1: none.
  [[nodiscard]] int kernel_events() const { return watch_.fd(); }
  [[nodiscard]] int charon_events() const { return vici_.fd(); }
  [[nodiscard]] int opensvc_events() const { return opensvc_watch_ ? opensvc_watch_->fd() : -1; }

  // Takes the kernel's events. True: links or addresses changed, and have been read; the rest waits
  // for settle().
  bool on_kernel_events();
  [[nodiscard]] bool unsettled() const { return pending_.any(); }
  // Reads what changed and returns what that was. Nothing: it cannot be read now, and stays
  // pending.
  std::optional<Changes> settle();
  void states_changed() { pending_.states = true; }
  // Reads the states' counters and lifetimes, which change without an event.
  void refresh_states();

  void on_charon_events();
  // Queries charon when a query is due.
  void ask_charon();
  // Takes new facts of OpenSVC. True: they have changed.
  bool on_opensvc();
  // Once a second. True: the firewall's rules have changed.
  bool tick();
  // Once a second.
  void follow_path_mtu(const ConfigVerify& config, const Topology& topology);

  // Compares the known policies, SAs and routes with the topology.
  MeshAudit audit(const Topology& topology);
  // Saves the topology for the next daemon, unless learning is off.
  void save(const Topology& topology, const Config& config);
  // Logs findings that are new since the last call.
  void log_findings(std::vector<std::string> findings);

  [[nodiscard]] const KernelFacts& kernel() const { return kernel_; }
  [[nodiscard]] const OpensvcFacts& opensvc() const { return opensvc_; }
  [[nodiscard]] const Topology& saved() const { return saved_; }
  [[nodiscard]] const CharonFacts& charon() const { return vici_.facts(); }
  // Charon has answered, or is known not to be there.
  [[nodiscard]] bool charon_known() const { return vici_.off() || vici_.asked(); }
  [[nodiscard]] std::vector<IkeTrouble> ike_troubles() const { return vici_.troubles(); }
  [[nodiscard]] const PathMtuWatch& path_mtu() const { return path_mtu_; }

  [[nodiscard]] SourceStatus firewall_source() const { return firewall_.source(); }
  [[nodiscard]] SourceStatus saved_source() const;
  [[nodiscard]] SourceStatus xfrm_source() const;
  // Nothing: there is none, and none is expected.
  [[nodiscard]] std::optional<SourceStatus> charon_source(const Config& config) const;
  [[nodiscard]] std::optional<SourceStatus> opensvc_source() const;

 private:
  Status start_opensvc(const Config& config, bool strict);
  void log_charon();

  KernelWatch watch_;
  KernelFacts kernel_;
  Changes pending_;
  OpensvcFacts opensvc_;
  std::optional<OpensvcWatch> opensvc_watch_;
  ViciWatch vici_;
  bool charon_readable_ = false;  // as last logged
  bool charon_seen_ = false;      // has it ever answered?
  FirewallFollow firewall_;
  PathMtuWatch path_mtu_;
  SavedTopology saved_file_;
  Topology saved_;
  std::string saved_problem_;
  std::vector<std::string> logged_findings_;
};

}  // namespace espial
