# SPDX-License-Identifier: Apache-2.0
"""A strongSwan mesh in network namespaces, with traffic, independent counting and espial."""
