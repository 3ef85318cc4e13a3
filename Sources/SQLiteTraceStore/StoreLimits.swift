// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// What a store takes of memory and of one rollout.
package struct StoreLimits: Sendable {
    /// Pages of the database that the writer keeps in memory, in bytes; each of the readers keeps a quarter of it.
    package var pageCacheBytes = 16 << 20
    /// Lines of one rollout; those with a status are taken beyond it, too. `--max-logs-per-rollout`
    package var logsPerRollout = 100_000

    package init() {}
}
