// SPDX-License-Identifier: Apache-2.0
// DataPlane: what espial has in the kernel: programs on the wire devices, their maps, the peers'
// identities and table, and everything that is read from them. It knows no source of facts and no
// policy: Node tells it what to follow, in the order of the methods.
//
// Owned by Node; the event loop's thread, its network namespace. What is pinned outlives it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/instance/now.h"
#include "daemon/watch/drop_watch.h"
#include "daemon/watch/latest_records.h"
#include "kernel/attach/attachments.h"
#include "kernel/attach/xdp_attachments.h"
#include "kernel/counters/counters.h"
#include "kernel/counters/events.h"
#include "kernel/maps.h"
#include "kernel/peers/identities.h"
#include "kernel/peers/table_spec.h"
#include "kernel/programs.h"
#include "model/config.h"
#include "model/devices/devices.h"
#include "model/facts/facts.h"
#include "model/snapshot.h"
#include "model/topology.h"

namespace espial {

class DataPlane {
 public:
  // Loads the programs or adopts pinned ones, and logs which. Attaches nothing yet.
  static Result<DataPlane> open(const Config& config);

  // Readable (epoll) while flow events wait.
  [[nodiscard]] int flow_events() const { return events_.fd(); }

  // Plans the devices. True: they are others than before.
  bool plan(const Config& config, const Topology& topology, const KernelFacts& facts);
  // Does the table know the integrity-only SAs of these states?
  [[nodiscard]] bool knows(const std::vector<XfrmStateFact>& states) const;
  // An index for every peer and subnet. Returns what did not fit, one line each.
  Result<std::vector<std::string>> assign(const Topology& topology);
  // The next table of the planned devices; it counts as known from now on. To be set at once, after
  // the policies.
  TableSpec next_table(const ConfigEnforce& enforce, const Topology& topology,
                       const std::vector<XfrmStateFact>& states);
  Status set_table(const TableSpec& spec) { return programs_.set_table(spec); }
  // After the table: the indexes of those that are not in the topology any more.
  Status release(const Topology& topology);
  // Attaches as planned; how many programs were attached anew.
  int attach(const KernelFacts& facts, XdpChoice xdp);

  // After the first attach(): former programs count no more. Logs what becomes of their counters.
  Status end_former();
  // Needs the capabilities of loading.
  void watch_drops() { drops_.start(programs_); }

  // Plans and attaches because a device came or changed; woken: when the kernel told.
  void follow_devices(const Config& config, const Topology& topology, const KernelFacts& facts,
                      std::chrono::steady_clock::time_point woken);
  // Puts back what somebody removed, and logs it.
  void restore();

  // Takes flow events. True: there were some. With `tell` they are also returned.
  bool on_flow_events(std::vector<FlowRecord>* tell);

  Result<PeerCounters> counters(const std::string& peer);  // zeros: it has none
  Result<std::vector<FlowRecord>> flows() { return counters_.flows(maps_, identities_); }
  // Devices are this one's to say; so is all that only a daemon has, but for reloads.
  Result<Snapshot> snapshot(SnapshotOf of);
  // Publishes the flows when the snapshot has more unprotected packets than those before.
  void publish_flows(const Snapshot& snapshot);

  [[nodiscard]] const Maps& maps() const { return maps_; }
  [[nodiscard]] const Identities& identities() const { return identities_; }
  [[nodiscard]] const DevicePlans& plans() const { return plans_; }
  [[nodiscard]] AttachMode mode() const { return attachments_.mode(); }
  [[nodiscard]] bool adopted() const { return programs_.adopted(); }  // counters go on
  // "xfrm_state": can the kernel tell decrypted packets?
  [[nodiscard]] SourceStatus source() const;
  // Programs that should be attached and are not, one line each.
  [[nodiscard]] std::vector<std::string> unattached() const;
  [[nodiscard]] std::shared_ptr<const LatestFlows> latest_flows() const { return flows_; }
  [[nodiscard]] std::shared_ptr<const LatestDrops> latest_drops() const { return drops_.latest(); }

 private:
  struct Loaded {
    Programs programs;
    Maps maps;
    Identities identities;
    Attachments attachments;
    FlowEvents events;
  };
  DataPlane(Loaded loaded, std::string pin_dir);

  std::string pin_dir_;
  Programs programs_;
  Maps maps_;
  Identities identities_;
  Attachments attachments_;
  XdpAttachments xdp_;
  FlowEvents events_;
  DropWatch drops_;
  CounterReader counters_;
  DevicePlans plans_;
  std::vector<XfrmStateFact> table_states_;  // integrity-only SAs the table knows
  std::uint32_t generation_ = 0;
  GapCounters gaps_;
  std::optional<Restored> restored_;
  std::optional<MonoTime> verified_;  // when the programs were last seen in place
  std::uint64_t unprotected_seen_ = 0;
  std::shared_ptr<LatestFlows> flows_ = std::make_shared<LatestFlows>();
};

}  // namespace espial
