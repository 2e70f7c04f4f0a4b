# SPDX-License-Identifier: Apache-2.0
"""The demo: a real mesh on this machine, broken step by step, and what espial says."""
