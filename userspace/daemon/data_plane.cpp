// SPDX-License-Identifier: Apache-2.0
#include "daemon/data_plane.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace espial {
namespace {

constexpr std::uint32_t kSubnetsPerPeer = 4;
// The mirror follows the SAD by itself. Half of EP_SA_GRACE_NS: what a repair mistakes, the next
// sees in time.
constexpr std::chrono::seconds kSyncSas{15};

ProgramLimits limits_of(const Config& config) {
  ProgramLimits limits;
  limits.max_peers = config.max_peers;
  limits.max_subnets = config.max_peers * kSubnetsPerPeer;
  limits.flow_events_per_second = config.flow_events_per_second;
  limits.xdp = config.xdp != XdpChoice::kOff;
  return limits;
}

// Logs what had to be loaded, and why.
void log_use(const ProgramUse& use) {
  if (use.loaded == 0)
    spdlog::info("{} pinned programs adopted, none loaded", use.adopted);
  else
    spdlog::info("{} programs loaded: {}", use.loaded, use.why);
  if (!use.problem.empty())
    spdlog::warn("programs could not be pinned; the next start loads them again: {}", use.problem);
}

// The table must know them: their packets are decapsulated without having been encrypted.
std::vector<XfrmStateFact> integrity_only(const std::vector<XfrmStateFact>& states) {
  std::vector<XfrmStateFact> integrity;
  for (const auto& state : states)
    if (state.protocol == 51 || state.null_encryption) integrity.push_back(state);
  return integrity;
}

std::uint64_t unprotected(const PeerCounters& counters) {
  std::uint64_t sum = 0;
  for (const auto& direction : counters.cells)
    for (const auto& family : direction)
      for (std::size_t c = 0; c < kClasses; ++c)
        if (kClassCoverage[c] == Coverage::UNPROTECTED || c == at(Class::UNKNOWN_NODE))
          sum += family[c].packets;
  return sum;
}

}  // namespace

DataPlane::DataPlane(Loaded loaded, std::string pin_dir)
    : pin_dir_(std::move(pin_dir)),
      programs_(std::move(loaded.programs)),
      maps_(std::move(loaded.maps)),
      identities_(std::move(loaded.identities)),
      attachments_(std::move(loaded.attachments)),
      xdp_(XdpAttachments::open(pin_dir_)),
      events_(std::move(loaded.events)),
      sa_mirror_(std::move(loaded.sa_mirror)) {
  if (sa_mirror_.complete()) no_spi_proof_.clear();
}

Result<DataPlane> DataPlane::open(const Config& config) {
  EP_ASSIGN(programs, Programs::load(config.pin_dir, limits_of(config)));
  log_use(programs.use());
  EP_ASSIGN(maps, Maps::of(programs));
  EP_ASSIGN(identities, Identities::load(maps));
  EP_ASSIGN(attachments, Attachments::open(config.pin_dir, config.state_dir, programs));
  EP_ASSIGN(events, FlowEvents::open(maps));
  auto sa_mirror = SaMirror::open(programs, config.pin_dir);
  return DataPlane({.programs = std::move(programs),
                    .maps = std::move(maps),
                    .identities = std::move(identities),
                    .attachments = std::move(attachments),
                    .events = std::move(events),
                    .sa_mirror = std::move(sa_mirror)},
                   config.pin_dir);
}

bool DataPlane::plan(const Config& config, const Topology& topology, const KernelFacts& facts) {
  plans_ = plan_devices(facts, topology, config, plans_.peer_ports);
  return plans_.devices != table_devices_;
}

bool DataPlane::knows(const Topology& topology, const KernelFacts& facts) const {
  const auto integrity = integrity_only(facts.states);
  return table_relays_ == find_relays(topology, facts.policies, table_relays_) &&
         std::equal(integrity.begin(), integrity.end(), table_states_.begin(), table_states_.end(),
                    [](const auto& a, const auto& b) {
                      return a.spi == b.spi && a.protocol == b.protocol;
                    });
}

Result<std::vector<std::string>> DataPlane::assign(const Topology& topology) {
  return identities_.assign(topology, maps_);
}

TableSpec DataPlane::next_table(const ConfigEnforce& enforce, const Topology& topology,
                                const KernelFacts& facts) {
  table_states_ = integrity_only(facts.states);
  table_devices_ = plans_.devices;
  table_relays_ = find_relays(topology, facts.policies, table_relays_);
  auto spec =
      make_table_spec(enforce, topology, identities_, plans_.devices, facts.states, table_relays_);
  spec.spi_proof = table_spi_proof_ = no_spi_proof_.empty();
  spec.generation = ++generation_;
  return spec;
}

bool DataPlane::follow_sas(const KernelFacts& facts, std::string why_not) {
  const auto now = std::chrono::steady_clock::now();
  if (facts.xfrm_readable && (!sas_synced_ || now - *sas_synced_ >= kSyncSas)) {
    sa_mirror_.sync(facts.states);
    sas_synced_ = now;
  }
  auto reason = sa_mirror_.complete() ? std::move(why_not) : sa_mirror_.problem();
  if (reason != no_spi_proof_) {
    no_spi_proof_ = std::move(reason);
    if (no_spi_proof_.empty())
      spdlog::info("ESP counts as encrypted only under an SPI of the SAD");
    else
      spdlog::warn("SPIs are not compared with the SAD: {}", no_spi_proof_);
  }
  return table_spi_proof_ != no_spi_proof_.empty();
}

Status DataPlane::release(const Topology& topology) { return identities_.release(topology, maps_); }

int DataPlane::attach(const KernelFacts& facts, XdpChoice xdp) {
  const int attached = attachments_.apply(plans_.devices, programs_);
  xdp_.apply(plan_xdp(plans_.devices, facts, xdp), programs_);
  return attached;
}

Status DataPlane::end_former() {
  EP_TRY(programs_.release_former_maps(pin_dir_));
  if (programs_.carried())
    spdlog::info(
        "{}: the pinned maps had another version or max_peers; their counters were carried over",
        pin_dir_);
  else if (programs_.discarded())
    spdlog::warn("{}: the pinned maps have an unknown version; counters start at zero", pin_dir_);
  return Ok{};
}

void DataPlane::follow_devices(const Config& config, const Topology& topology,
                               const KernelFacts& facts,
                               std::chrono::steady_clock::time_point woken) {
  (void)plan(config, topology, facts);
  const int attached = attach(facts, config.xdp);
  if (attached == 0) return;
  gaps_.count += 1;
  gaps_.last = std::chrono::steady_clock::now() - woken;
  gaps_.total += gaps_.last;
  gaps_.new_device = std::chrono::steady_clock::now();
  spdlog::info("{} programs attached, {} us after the kernel announced the device", attached,
               gaps_.last.count() / 1000);
}

// Maps first: the links are pinned in the same folder.
void DataPlane::restore() {
  const auto now = std::chrono::steady_clock::now();
  const auto within = now - verified_.value_or(now);
  const auto maps = programs_.restore_pins(pin_dir_);
  auto missing = attachments_.verify(programs_);
  missing += xdp_.verify(programs_);
  verified_ = now;
  if (missing.programs + missing.pins + maps == 0) return;
  spdlog::warn("{} programs and {} pins were removed externally; reattached", missing.programs,
               missing.pins + maps);
  restored_ = Restored{
      .at = now, .programs = missing.programs, .pins = missing.pins + maps, .within = within};
  if (missing.programs == 0) return;
  gaps_.count += 1;
  gaps_.last = within;
  gaps_.total += within;
}

bool DataPlane::on_flow_events(std::vector<FlowRecord>* records) {
  if (records == nullptr) return events_.drain() > 0;
  *records = events_.take(identities_);
  return !records->empty();
}

Result<PeerCounters> DataPlane::counters(const std::string& peer) {
  return counters_now({.maps = maps_, .identities = identities_, .reader = counters_}, peer);
}

Result<Snapshot> DataPlane::snapshot(SnapshotOf of) {
  of.daemon = true;
  of.devices = attachments_.status();
  const auto xdp = xdp_.status();
  for (auto& device : of.devices)
    if (const auto found = xdp.find(device.ifindex); found != xdp.end()) device.xdp = found->second;
  EP_ASSIGN(snapshot, snapshot_now({.maps = maps_, .identities = identities_, .reader = counters_},
                                   std::move(of)));
  snapshot.programs = programs_.use();
  snapshot.gaps = gaps_;
  snapshot.restored = restored_;
  snapshot.maps = CounterReader::usage(maps_, identities_, programs_.table_entries(),
                                       programs_.capacity().slots);
  drops_.read(snapshot, identities_);
  return snapshot;
}

void DataPlane::publish_flows(const Snapshot& snapshot) {
  std::uint64_t seen = unprotected(snapshot.no_peer);
  for (const auto& peer : snapshot.peers) seen += unprotected(peer.counters);
  if (seen == unprotected_seen_) return;
  unprotected_seen_ = seen;
  auto found = flows();
  if (found.ok())
    flows_->publish(std::move(*found));
  else
    spdlog::error("{}", found.error().message);
}

SourceStatus DataPlane::source() const {
  return {"xfrm_state", programs_.xfrm_state(),
          programs_.xfrm_state() ? ""
                                 : "this kernel does not expose the XFRM state to BPF, so "
                                   "decrypted packets cannot be recognized"};
}

SourceStatus DataPlane::spi_source() const { return {"spi", no_spi_proof_.empty(), no_spi_proof_}; }

std::vector<std::string> DataPlane::unattached() const {
  std::vector<std::string> lines;
  for (const auto& device : attachments_.status())
    if (!device.receive_attached ||
        (!device.transmit_attached && device.role != DeviceRole::kReentry))
      lines.push_back(fmt::format("{}: not attached: {}", device.name, device.why));
  return lines;
}

}  // namespace espial
