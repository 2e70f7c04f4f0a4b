// SPDX-License-Identifier: Apache-2.0
// `espial top`: documents in, keys in, screens out, until it is left.
#pragma once

#include "cli/terminal/console.h"
#include "cli/top/top_feed.h"

namespace espial {

// Returns the exit status: 0 when it was left, 2 where there is no terminal to draw on, 3 when
// there is nothing to begin with. Looks again after `interval` seconds. Whatever ends it, the
// terminal is as before.
int run_top(TopSources sources, double interval, Console& console);

}  // namespace espial
