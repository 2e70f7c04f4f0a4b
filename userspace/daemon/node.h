// SPDX-License-Identifier: Apache-2.0
// Node: everything the daemon knows and does, without its event loop: facts in, topology, devices
// and tables out, counters in, reports out. One thread, one network namespace.
#pragma once

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/alarms/alarm_keeper.h"
#include "daemon/alarms/alarm_teller.h"
#include "daemon/backstop.h"
#include "daemon/drop_watch.h"
#include "daemon/firewall_follow.h"
#include "daemon/path_mtu_watch.h"
#include "daemon/peer_policies.h"
#include "daemon/probe_watch.h"
#include "exporter/http/latest_report.h"
#include "exporter/notify/notifier.h"
#include "kernel/attachments.h"
#include "kernel/counters.h"
#include "kernel/events.h"
#include "kernel/identities.h"
#include "kernel/maps.h"
#include "kernel/programs.h"
#include "kernel/xdp_attachments.h"
#include "model/config.h"
#include "model/evaluate/evaluate.h"
#include "sources/netlink/kernel_watch.h"
#include "sources/opensvc/opensvc_watch.h"
#include "sources/state/saved_topology.h"
#include "sources/vici/vici_watch.h"

namespace espial {

// The flows of the last snapshot, shared with the HTTP thread.
class LatestFlows {
 public:
  void publish(std::vector<FlowRecord> flows) {
    const std::scoped_lock lock(mutex_);
    flows_.swap(flows);
  }
  [[nodiscard]] std::vector<FlowRecord> get() const {
    const std::scoped_lock lock(mutex_);
    return flows_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<FlowRecord> flows_;
};

class Node {
 public:
  // Reads the kernel, loads and attaches. Counting has begun when this returns. strict: an optional
  // source that cannot start is an error.
  static Result<std::unique_ptr<Node>> start(Config config, std::string config_path, bool strict);

  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Descriptors that wake the loop.
  [[nodiscard]] int kernel_events() const { return watch_.fd(); }
  [[nodiscard]] int flow_events() const { return events_.fd(); }
  [[nodiscard]] int charon_events() const { return vici_.fd(); }
  [[nodiscard]] int probe_events() const { return probes_.fd(); }
  [[nodiscard]] int opensvc_events() const { return opensvc_ ? opensvc_->fd() : -1; }

  // Takes the kernel's events. A device that came or changed is attached before this returns; what
  // else changed waits for settle().
  void on_kernel_events();
  // Is there something that settle() should look at?
  [[nodiscard]] bool unsettled() const { return pending_.any(); }
  // Reads what changed and makes topology, table and devices follow.
  void settle();

  // Takes what OpenSVC says now; topology and table follow before this returns.
  void on_opensvc();

  // Takes flow events. True: an unprotected flow was seen, evaluate now. With `tell` they are
  // also returned, as they come.
  bool on_flow_events(std::vector<FlowRecord>* tell = nullptr);

  // Takes what charon has said.
  void on_charon_events();
  // Charon's own view; see explain_pair().
  [[nodiscard]] const ViciFacts& charon() const { return vici_.facts(); }
  // What its log said of SAs that it could not make.
  [[nodiscard]] std::vector<IkeTrouble> ike_troubles() const { return vici_.troubles(); }

  // Hears and sends what the probes of the peers are at.
  void on_probe_events();

  // Once a second: checks the attachments, takes a snapshot, judges and publishes it.
  void tick();
  void evaluate();

  // Where changes of alarms are told; before the first evaluate(). null: in the log.
  void tell_alarms(std::shared_ptr<Journal> journal) { teller_ = AlarmTeller(std::move(journal)); }
  // Alarms, their history, and what was told, as a document.
  [[nodiscard]] nlohmann::json alarms() const;
  // At the end: what the next daemon is to know.
  void save_alarms();

  // Policies, SAs and routes as they are now, against the topology.
  std::shared_ptr<const MeshAudit> audit();

  // Receivers of alarms are told from now on. Starts threads: not before privileges were given up.
  Status start_notifier(bool strict);
  // What became of what they were told. Any thread.
  [[nodiscard]] NotifyStatus notified() const;

  // The file again. A bad file changes nothing.
  void reload();

  // What a request about policies comes to, carried out: the answer's document.
  nlohmann::json policy(const PolicyRequest& request);
  // Programs that should be attached and are not, one line each.
  [[nodiscard]] std::vector<std::string> unattached() const;

  [[nodiscard]] std::shared_ptr<const LatestReport> latest() const { return latest_; }
  [[nodiscard]] std::shared_ptr<const LatestFlows> flows() const { return flows_; }
  [[nodiscard]] std::shared_ptr<const LatestDrops> drops() const { return drops_.latest(); }
  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const Topology& topology() const { return topology_; }

 private:
  Node(Config config, std::string config_path, KernelWatch watch, KernelFacts facts,
       Programs programs, Maps maps, Identities identities, Attachments attachments,
       FlowEvents events, ViciWatch vici, ProbeWatch probes);

  Status begin(bool strict);
  Status load_policies(bool strict);
  Status start_opensvc(bool strict);
  [[nodiscard]] Topology merged();
  void end_deadlines(const Moment& now);
  Result<PolicyPlan> set_policy(const PolicyRequest& request, const Moment& now);
  void follow_topology();
  void judge_mesh();
  void restore();
  void follow_devices(bool started);
  Status follow_table();
  Status follow_policies();
  void follow_backstop();
  void save_topology();
  void log_charon();
  void read_flows(const Snapshot& snapshot);
  Result<Snapshot> snapshot();
  [[nodiscard]] std::vector<SourceStatus> sources() const;

  Config config_;
  std::string config_path_;
  KernelWatch watch_;
  KernelFacts facts_;
  OpensvcFacts cluster_;
  Programs programs_;
  Maps maps_;
  Identities identities_;
  Attachments attachments_;
  XdpAttachments xdp_;
  FlowEvents events_;
  ViciWatch vici_;
  FirewallFollow firewall_;
  bool charon_readable_ = false;  // as logged last
  bool charon_seen_ = false;      // has it ever answered?
  SavedTopology saved_file_;
  PeerPolicies policies_;
  Backstop backstop_;
  DropWatch drops_;
  ProbeWatch probes_;
  PathMtuWatch path_mtu_;
  CounterReader counters_;
  Evaluator evaluator_;
  AlarmTeller teller_;
  AlarmKeeper keeper_;
  Topology saved_;
  Topology topology_;
  DevicePlans plans_;
  std::shared_ptr<const MeshAudit> mesh_;
  std::optional<MonoTime> judged_;  // when mesh_ was made
  Changes pending_;
  GapCounters gaps_;
  std::optional<Restored> restored_;
  std::optional<MonoTime> verified_;         // when the programs were last seen in place
  std::vector<XfrmStateFact> table_states_;  // integrity-only SAs the table knows
  bool reloaded_ = false;                    // the table may say something else
  std::uint32_t generation_ = 0;
  std::uint64_t unprotected_seen_ = 0;
  std::optional<bool> last_reload_successful_;
  std::string last_reload_error_;
  std::string saved_problem_;
  std::vector<std::string> logged_findings_;
  std::shared_ptr<LatestReport> latest_;
  std::shared_ptr<LatestFlows> flows_;
  std::optional<OpensvcWatch> opensvc_;
  ConfigAlerts alerts_;
  std::unique_ptr<Notifier> notifier_;
};

}  // namespace espial
