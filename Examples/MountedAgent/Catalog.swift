// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// What the shop sells: the application's own state, which the agent works on as well.
actor Catalog {
    private var prices: [String: Int]

    /// - Parameter prices: In cents.
    init(_ prices: [String: Int]) { self.prices = prices }

    func price(of product: String) -> Int? { prices[product.lowercased()] }

    func setPrice(of product: String, to cents: Int) { prices[product.lowercased()] = cents }
}
