// SPDX-License-Identifier: Apache-2.0
// Node: everything the daemon knows and does, except the event loop. It connects its parts: facts
// are merged into the topology, to which the data plane and enforcement are adapted; counters
// become a report, which is published. One thread, one network namespace.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/alarm_receivers.h"
#include "daemon/alarms/alarm_keeper.h"
#include "daemon/alarms/alarm_log.h"
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

  // Takes the kernel's events. A device that appeared or changed is attached before this returns;
  // other changes wait for settle().
  void on_kernel_events();
  // Is there something that settle() should look at?
  [[nodiscard]] bool unsettled() const { return facts_.unsettled(); }
  // Reads what changed, and updates topology, table and devices.
  void settle();
  // Takes new facts of OpenSVC; topology and table are updated before this returns.
  void on_opensvc();
  // Takes flow events. True: an unprotected flow was seen, evaluate now. With `records` they are
  // also returned, as they come.
  bool on_flow_events(std::vector<FlowRecord>* records = nullptr) {
    return data_plane_.on_flow_events(records);
  }
  // Reads charon's answers and log lines.
  void on_charon_events() { facts_.on_charon_events(); }
  // Why charon could not make SAs, from its log.
  [[nodiscard]] std::vector<IkeTrouble> ike_troubles() const { return facts_.ike_troubles(); }
  // Sends due probes and collects replies.
  void on_probe_events();

  // Once a second: checks the attachments, takes a snapshot, evaluates and publishes it.
  void tick();
  void evaluate();

  // Where changes of alarms are written; call before the first evaluate(). null: to the log.
  void log_alarms_to(std::shared_ptr<Journal> journal) {
    alarm_log_ = AlarmLog(std::move(journal));
  }
  // Alarms, their history, and message counts, as a document.
  [[nodiscard]] nlohmann::json alarms() const;
  // At the end: saves what the next daemon needs.
  void save_alarms();

  // Compares the current policies, SAs and routes with the topology.
  std::shared_ptr<const MeshAudit> audit();

  // Starts delivery to alarm receivers. Starts threads: call only after privileges were dropped.
  Status start_notifier(bool strict) { return receivers_.start(config_path_, config_, strict); }
  // The state of each delivery. Any thread.
  [[nodiscard]] NotifyStatus notified() const { return receivers_.status(); }

  // Reads the configuration again. An invalid file changes nothing.
  void reload();

  // Carries out a request about modes: the document of the answer.
  nlohmann::json mode_command(const ModeRequest& request);
  // Programs that should be attached but are not, one line each.
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
  Topology merged();
  bool follow_sas();  // true: the table is to say otherwise whether SPIs count
  void follow_topology();
  void replace_table();
  Status follow_table();
  void note_table(std::string problem);
  void log_findings();
  void judge_mesh();
  Result<ModePlan> set_mode(const ModeRequest& request, const Moment& now);
  Result<Snapshot> snapshot();
  [[nodiscard]] std::vector<SourceStatus> sources() const;

  Config config_;
  std::string config_path_;
  bool reloaded_ = false;  // the table may have to change
  std::optional<bool> last_reload_successful_;
  std::string last_reload_error_;
  std::vector<std::string> without_index_;  // peers and subnets beyond max_peers, one line each
  std::string table_problem_;               // what of the topology is not in the table, one line
  NodeFacts facts_;
  Topology topology_;
  std::shared_ptr<const MeshAudit> mesh_;
  std::optional<MonoTime> judged_;  // when mesh_ was made
  DataPlane data_plane_;
  Enforcement enforcement_;
  ProbeWatch probes_;
  Evaluator evaluator_;
  AlarmLog alarm_log_;
  AlarmKeeper keeper_;
  AlarmReceivers receivers_;
  std::shared_ptr<LatestReport> latest_ = std::make_shared<LatestReport>();
};

}  // namespace espial
