// SPDX-License-Identifier: Apache-2.0
// DataPlane: espial's part in the kernel: programs on the wire devices, their maps, the peers'
// identities and table, and everything that is read from them. It does not know where facts and
// modes come from: Node calls its methods in the order in which they are declared.
//
// Owned by Node; used by the event loop's thread in its network namespace. Pins outlive it.
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
#include "kernel/sa_mirror.h"
#include "model/config.h"
#include "model/devices/devices.h"
#include "model/facts/facts.h"
#include "model/relays.h"
#include "model/snapshot.h"
#include "model/topology.h"

namespace espial {

class DataPlane {
 public:
  // Loads the programs or adopts pinned ones, and logs which. Does not attach them yet.
  static Result<DataPlane> open(const Config& config);

  // Readable (epoll) while flow events wait.
  [[nodiscard]] int flow_events() const { return events_.fd(); }

  // Plans the devices. True: the table has the VLAN rules of another plan.
  bool plan(const Config& config, const Topology& topology, const KernelFacts& facts);
  // Does the table know the integrity-only SAs, and what other peers' tunnels may carry?
  [[nodiscard]] bool knows(const Topology& topology, const KernelFacts& facts) const;
  // Assigns an index to every peer and subnet. Returns what did not fit, one line each.
  Result<std::vector<std::string>> assign(const Topology& topology);
  // The next table of the planned devices, which is regarded as set from now on. Call set_table()
  // with it at once, after writing the modes.
  TableSpec next_table(const ConfigEnforce& enforce, const Topology& topology,
                       const KernelFacts& facts);
  Result<std::vector<std::string>> set_table(const TableSpec& spec) {
    return programs_.set_table(spec);
  }
  // After the table: frees the indexes of peers and subnets that left the topology.
  Status release(const Topology& topology);
  // Attaches as planned; returns how many programs were newly attached.
  int attach(const KernelFacts& facts, XdpChoice xdp);

  // After the first attach(): former programs no longer count. Logs what happens to their counters.
  Status end_former();
  // Both need the capabilities to load programs.
  void watch_drops() { drops_.start(programs_); }
  void mirror_sas() { sa_mirror_.start(); }
  // Repairs the mirror where that is due, and decides whether SPIs can be compared with it.
  // `why_not`: the mirror has nothing to do with it. True: the table says otherwise.
  bool follow_sas(const KernelFacts& facts, std::string why_not);

  // Plans and attaches because a device appeared or changed; woken: when the kernel reported it.
  void follow_devices(const Config& config, const Topology& topology, const KernelFacts& facts,
                      std::chrono::steady_clock::time_point woken);
  // Reattaches programs that were removed externally, and logs it.
  void restore();

  // Takes flow events. True: there were some. With `records` they are also returned.
  bool on_flow_events(std::vector<FlowRecord>* records);

  Result<PeerCounters> counters(const std::string& peer);  // zeros: it has none
  Result<std::vector<FlowRecord>> flows() { return counters_.flows(maps_, identities_); }
  // Fills in the devices and everything else that only a daemon has, except for reloads.
  Result<Snapshot> snapshot(SnapshotOf of);
  // Publishes the flows if the snapshot has more unprotected packets than the previous ones.
  void publish_flows(const Snapshot& snapshot);

  [[nodiscard]] const Maps& maps() const { return maps_; }
  [[nodiscard]] const Identities& identities() const { return identities_; }
  [[nodiscard]] const DevicePlans& plans() const { return plans_; }
  [[nodiscard]] AttachMode mode() const { return attachments_.mode(); }
  [[nodiscard]] bool adopted() const { return programs_.adopted(); }  // counters go on
  // "xfrm_state": can the kernel recognize decrypted packets?
  [[nodiscard]] SourceStatus source() const;
  [[nodiscard]] SourceStatus spi_source() const;  // "spi": are SPIs compared with the SAD?
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
    SaMirror sa_mirror;
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
  std::vector<DevicePlan> table_devices_;    // whose VLAN rules the table knows
  Relays table_relays_;
  SaMirror sa_mirror_;
  std::optional<MonoTime> sas_synced_;
  std::string no_spi_proof_ = "not started";  // why SPIs are not compared; empty: they are
  bool table_spi_proof_ = false;
  std::uint32_t generation_ = 0;
  GapCounters gaps_;
  std::optional<Restored> restored_;
  std::optional<MonoTime> verified_;  // when the programs were last seen in place
  std::uint64_t unprotected_seen_ = 0;
  std::shared_ptr<LatestFlows> flows_ = std::make_shared<LatestFlows>();
};

}  // namespace espial
