// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import HummingbirdCore
import TraceStore
import WireJSON

extension Request {
    /// The elements of a body that is an array.
    func batch(upTo limits: RouteLimits) async throws -> [JSONReader] {
        let bytes = try await bytes(upTo: limits.logBodyBytes)
        do {
            let items = try JSONReader(JSONValue(parsing: bytes)).elements()
            guard items.count <= limits.batchItems else {
                throw Problem(
                    .badRequest, "the body has \(items.count) items; send at most \(limits.batchItems) at once")
            }
            return items
        } catch {
            throw Problem.body(error)
        }
    }
}

extension TraceLedger {
    /// Commits the items that are as they should be, and answers all of them in order.
    func answer(
        _ items: [JSONReader], record: (JSONReader) throws(JSONDecodingError) -> StoreRecord,
        id: (JSONReader) -> JSONValue
    ) async throws -> Response {
        var records: [StoreRecord] = []
        var faults: [JSONDecodingError?] = []
        for item in items {
            do throws(JSONDecodingError) {
                records.append(try record(item))
                faults.append(nil)
            } catch {
                faults.append(error)
            }
        }
        var committed = try await take(records).makeIterator()
        let results = zip(items, faults).map { item, fault in
            if let fault { return ItemResult.refused(code: 400, sentence: fault.description).json(id: id(item)) }
            let result = committed.next() ?? .failure(StoreError(.unavailable, "the store did not answer"))
            return ItemResult(result).json(id: id(item))
        }
        return Response(json: JSONValue.object(["results": .array(results)]).serialized())
    }
}
