// SPDX-License-Identifier: Apache-2.0
// The metric families about alarms on their way to receivers: five series for each.
#pragma once

#include "exporter/metrics/metric_builder.h"
#include "model/receiver_status.h"

namespace espial {

// Nothing if there are no alarm receivers.
void visit_notifications(const NotifyStatus& status, const FamilySink& sink);

}  // namespace espial
