// SPDX-License-Identifier: Apache-2.0
// Node: everything the daemon knows and does, without its event loop. It wires its parts: what the
// facts come to is the topology, which the data plane and enforcement follow; what was counted
// becomes a report, which it publishes. One thread, one network namespace.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/alarm_receivers.h"
#include "daemon/alarms/alarm_keeper.h"
#include "daemon/alarms/alarm_teller.h"
#include "daemon/data_plane.h"
#include "daemon/enforcement.h"
#include "daemon/node_facts.h"
#include "daemon/watch/probe_watch.h"
#include "exporter/http/latest_report.h"
#include "model/config.h"
#include "model/evaluate/evaluate.h"

namespace espial {

class Node {
 public:
  // Reads the kernel, loads and attaches. Counting has begun when this returns. strict: an optional
  // source that cannot start is an error.
  static Result<std::unique_ptr<Node>> start(Config config, std::string config_path, bool strict);

  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Descriptors that wake the loop.
  [[nodiscard]] int kernel_events() const { return facts_.kernel_events(); }
  [[nodiscard]] int flow_events() const { return data_plane_.flow_events(); }
  [[nodiscard]] int charon_events() const { return facts_.charon_events(); }
  [[nodiscard]] int probe_events() const { return probes_.fd(); }
  [[nodiscard]] int opensvc_events() const { return facts_.opensvc_events(); }

  // Takes the kernel's events. A device that came or changed is attached before this returns; what
  // else changed waits for settle().
  void on_kernel_events();
  // Is there something that settle() should look at?
  [[nodiscard]] bool unsettled() const { return facts_.unsettled(); }
  // Reads what changed and makes topology, table and devices follow.
  void settle();
  // Takes what OpenSVC says now; topology and table follow before this returns.
  void on_opensvc();
  // Takes flow events. True: an unprotected flow was seen, evaluate now. With `tell` they are
  // also returned, as they come.
  bool on_flow_events(std::vector<FlowRecord>* tell = nullptr) {
    return data_plane_.on_flow_events(tell);
  }
  // Takes what charon has said.
  void on_charon_events() { facts_.on_charon_events(); }
  // What its log said of SAs that it could not make.
  [[nodiscard]] std::vector<IkeTrouble> ike_troubles() const { return facts_.ike_troubles(); }
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
  Status start_notifier(bool strict) { return receivers_.start(config_path_, config_, strict); }
  // What became of what they were told. Any thread.
  [[nodiscard]] NotifyStatus notified() const { return receivers_.status(); }

  // The file again. A bad file changes nothing.
  void reload();

  // What a request about policies comes to, carried out: the answer's document.
  nlohmann::json policy(const PolicyRequest& request);
  // Programs that should be attached and are not, one line each.
  [[nodiscard]] std::vector<std::string> unattached() const { return data_plane_.unattached(); }

  [[nodiscard]] std::shared_ptr<const LatestReport> latest() const { return latest_; }
  [[nodiscard]] std::shared_ptr<const LatestFlows> flows() const {
    return data_plane_.latest_flows();
  }
  [[nodiscard]] std::shared_ptr<const LatestDrops> drops() const {
    return data_plane_.latest_drops();
  }
  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const Topology& topology() const { return topology_; }

 private:
  // What can fail to open.
  struct Opened {
    NodeFacts::Opened facts;
    DataPlane data_plane;
    ProbeWatch probes;
  };
  Node(Config config, std::string config_path, Opened opened);

  Status begin(bool strict);
  void follow_topology();
  void replace_table();
  Status follow_table();
  void log_findings();
  void judge_mesh();
  Result<PolicyPlan> set_policy(const PolicyRequest& request, const Moment& now);
  Result<Snapshot> snapshot();
  [[nodiscard]] std::vector<SourceStatus> sources() const;

  Config config_;
  std::string config_path_;
  bool reloaded_ = false;  // the table may say something else
  std::optional<bool> last_reload_successful_;
  std::string last_reload_error_;
  NodeFacts facts_;
  Topology topology_;
  std::shared_ptr<const MeshAudit> mesh_;
  std::optional<MonoTime> judged_;  // when mesh_ was made
  DataPlane data_plane_;
  Enforcement enforcement_;
  ProbeWatch probes_;
  Evaluator evaluator_;
  AlarmTeller teller_;
  AlarmKeeper keeper_;
  AlarmReceivers receivers_;
  std::shared_ptr<LatestReport> latest_ = std::make_shared<LatestReport>();
};

}  // namespace espial
